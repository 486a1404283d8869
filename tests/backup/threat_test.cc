// What a stolen credential can and cannot do: the table of muster-repository(7), a test for each row.
#include <nlohmann/json.hpp>

#include "backup/fields.h"
#include "backup/forget.h"
#include "backup/labels.h"
#include "backup/object_names.h"
#include "backup/prune.h"
#include "backup/sentence.h"
#include "tests/backup/tenants.h"

namespace muster::backup {
namespace {

using fakes::MemoryDisk;
using nlohmann::json;

using Threat = Tenants;

TEST_F(Threat, OnlyTheOwnerReadsData) {
  const auto by_owner = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  fill(disk_, 0, 100, 2);
  const auto by_host = back_up(*as_host_, disk_, {.name = "web1"}).point;
  EXPECT_EQ(restore(*as_owner_, by_host), disk_.bytes());
  for (const auto* repository : {as_host_.get(), as_other_.get(), as_maintenance_.get()})
    for (const auto& point : {by_owner, by_host}) {
      const auto code = refusal([&] { restore(*repository, point); });
      EXPECT_TRUE(code == base::Code::key || code == base::Code::corrupt) << static_cast<int>(code);
    }
  EXPECT_EQ(refusal([&] { restore(*as_host_, by_host); }), base::Code::key) << "not even what it wrote itself";
}

TEST_F(Threat, NamesAndMapsAreReadInOnesOwnDomain) {
  const auto point = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  back_up(*as_other_, disk_, {.name = "tenant"});
  EXPECT_EQ(names(*as_owner_), (std::vector<std::string>{"tenant", "web1"}));
  EXPECT_EQ(names(*as_maintenance_), (std::vector<std::string>{"tenant", "web1"}));
  EXPECT_EQ(names(*as_host_), std::vector<std::string>{"web1"});
  EXPECT_EQ(names(*as_other_), std::vector<std::string>{"tenant"});
  EXPECT_EQ(refusal([&] { get_point({}, *as_other_, point.id); }), base::Code::key);
}

TEST_F(Threat, AGuessIsConfirmedByWhoNamesChunks) {
  const auto point = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  const base::ByteView guess = base::ByteView(disk_.bytes()).first(kTestChunkBytes);
  const ChunkId id = *chunks_of(point)[0];
  EXPECT_EQ(RecordOpener(host_).id_of(RecordKind::chunk, 0, guess), id);
  EXPECT_NE(RecordOpener(other_).id_of(RecordKind::chunk, 1, guess), id);
  EXPECT_EQ(refusal([&] { RecordOpener(other_).id_of(RecordKind::chunk, 0, guess); }), base::Code::key);
  EXPECT_EQ(refusal([&] { RecordOpener(maintenance_).id_of(RecordKind::chunk, 0, guess); }), base::Code::key);
}

TEST_F(Threat, PointsOfOtherNamesArePassedOver) {
  back_up(*as_host_, disk_, {.name = "web7"});
  back_up(*as_host_, disk_, {.name = "db1"});
  EXPECT_EQ(names(*as_owner_), std::vector<std::string>{"web7"});
  EXPECT_EQ(refusal([&] { back_up(*as_maintenance_, disk_, {.name = "web8"}); }), base::Code::key);
  RestorePoint forged = latest(*as_owner_, "web7");
  forged.id = random_object_id();
  forged.name = "db1";
  put_point({}, *as_maintenance_, forged);
  decide_point({}, *as_maintenance_, forged.id, PointState::confirmed);
  EXPECT_EQ(names(*as_owner_), std::vector<std::string>{"web7"});
}

TEST_F(Threat, PoisonStaysInItsDomainAndNeverComesOutAsData) {
  const ChunkId id =
      RecordOpener(host_).id_of(RecordKind::chunk, 0, base::ByteView(disk_.bytes()).first(kTestChunkBytes));
  back_up(*as_owner_, disk_, {.name = "seed"});  // some pack to lie about
  fill(disk_, 0, kTestChunkBytes, 9);
  const ChunkId fresh =
      RecordOpener(host_).id_of(RecordKind::chunk, 0, base::ByteView(disk_.bytes()).first(kTestChunkBytes));
  ASSERT_NE(id, fresh);
  lie_about(*as_other_, fresh);
  const auto unharmed = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  EXPECT_EQ(unharmed.bytes_new, kTestChunkBytes);
  EXPECT_EQ(restore(*as_owner_, unharmed), disk_.bytes()) << "nor is what is right hidden";
  fill(disk_, 0, kTestChunkBytes, 10);
  lie_about(*as_host_,
            RecordOpener(host_).id_of(RecordKind::chunk, 0, base::ByteView(disk_.bytes()).first(kTestChunkBytes)));
  const auto poisoned = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  EXPECT_EQ(poisoned.bytes_new, 0U) << "as the page says of one domain";
  EXPECT_EQ(refusal([&] { restore(*as_owner_, poisoned); }), base::Code::corrupt);
  EXPECT_FALSE(check_all(*as_owner_).clean());
}

TEST_F(Threat, AMapBringsInNobodyElsesData) {
  const auto secret = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  const auto thief = put_map(*as_other_, secret, chunks_of(secret), disk_.size_bytes());
  EXPECT_EQ(refusal([&] { restore(*as_owner_, thief); }), base::Code::corrupt);
}

TEST_F(Threat, QuarantinesAndLabelsCountInOnesOwnDomain) {
  const auto point = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  const ChunkId id = *chunks_of(point)[0];
  const auto place = Index::load({}, *as_owner_)->find({}, RecordKind::chunk, id);
  put_damaged({}, *as_other_, {{place->pack, id}});
  EXPECT_TRUE(Index::load({}, *as_owner_)->may_rely_on({}, RecordKind::chunk, id));
  put_damaged({}, *as_host_, {{place->pack, id}});
  EXPECT_FALSE(Index::load({}, *as_owner_)->may_rely_on({}, RecordKind::chunk, id));
  EXPECT_EQ(restore(*as_owner_, point), disk_.bytes()) << "read all the same, as there is no other";
  change_labels({}, *as_other_, point.id, {.add = {"theirs"}, .pin = true});
  EXPECT_FALSE(labels_of(get_point({}, *as_owner_, point.id).point, read_labels({}, *as_owner_)).pinned);
  change_labels({}, *as_host_, point.id, {.pin = true});
  EXPECT_TRUE(labels_of(get_point({}, *as_owner_, point.id).point, read_labels({}, *as_owner_)).pinned);
}

TEST_F(Threat, HostsLetNothingGo) {
  const auto point = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  for (const auto* repository : {as_host_.get(), as_other_.get()}) {
    EXPECT_EQ(refusal([&] { forget_points({}, *repository, {point.id}); }), base::Code::key);
    EXPECT_EQ(refusal([&] { prune({}, *repository, {}); }), base::Code::key);
    EXPECT_EQ(refusal([&] {
                put_sentence({}, *repository, {random_object_id(), list_packs({}, *storage_), {}});
              }),
              base::Code::key);
  }
  // Forged under their own signature, it is none.
  const ObjectId id = random_object_id();
  const auto put = [&](std::string_view prefix, DocumentKind kind, const json& fields) {
    const std::string name = object_name(prefix, id);
    as_host_->put_document({}, as_host_->address(name, kind), fields_bytes(fields), Encrypted::no);
  };
  put(kForgottenPrefix, DocumentKind::forgotten, {{"points", {hex(point.id)}}});
  const json packs = hex_list(list_packs({}, *storage_));
  put(kSentencesPrefix, DocumentKind::sentence, {{"sentence", hex(id)}, {"packs", packs}, {"session", hex(id)}});
  put(kVerdictsPrefix, DocumentKind::verdict, {{"sentence", hex(id)}, {"condemned", packs}, {"session", hex(id)}});
  EXPECT_EQ(names(*as_owner_), std::vector<std::string>{"web1"});
  EXPECT_EQ(back_up(*as_owner_, disk_, {.name = "web2"}).point.bytes_new, 0U);
  prune({}, *as_maintenance_, {});
  EXPECT_EQ(restore(*as_owner_, point), disk_.bytes());
  EXPECT_NO_THROW(forget_points({}, *as_maintenance_, {point.id}));
}

TEST_F(Threat, OnlyTheOwnerLetsInAndShutsOut) {
  const Credential guest = host_credential(owner_, 0);
  Host host{.id = guest.signer(), .label = "guest", .names = {}, .revoked = {}};
  host.signing_key = ed25519_public_key(guest.signing_seed);
  for (const auto* repository : {as_host_.get(), as_maintenance_.get()}) {
    EXPECT_EQ(refusal([&] { repository->add_host({}, host); }), base::Code::key);
    EXPECT_EQ(refusal([&] { repository->revoke_host({}, host_.signer()); }), base::Code::key);
  }
  // One that was not let in writes points that nobody takes for any.
  back_up(*as_owner_, disk_, {.name = "web1"});
  RestorePoint forged = latest(*as_owner_, "web1");
  forged.id = random_object_id();
  put_point({}, *open_as(storage_, guest), forged);
  EXPECT_EQ(names(*as_owner_).size(), 1U);
  // A revocation that the owner did not sign is none; one that is, holds from then on.
  const auto kept = back_up(*as_host_, disk_, {.name = "web5"}).point;
  const std::string name = object_name(kRevokedPrefix, host_.signer());
  as_other_->put_document({}, as_other_->address(name, DocumentKind::host), fields_bytes({{"host", "x"}}),
                          Encrypted::no);
  EXPECT_TRUE(get_point({}, *open_as(storage_, owner_), kept.id).trusted);
  storage_->remove({}, name);
  storage_->advance(std::chrono::seconds(10));
  as_owner_->revoke_host({}, host_.signer());
  storage_->advance(std::chrono::seconds(10));
  const auto late = back_up(*as_host_, disk_, {.name = "web5"}).point;
  EXPECT_TRUE(get_point({}, *as_owner_, kept.id).trusted);
  EXPECT_FALSE(get_point({}, *as_owner_, late.id).trusted);
}

TEST_F(Threat, ADocumentMovedToAnotherNameIsNone) {
  const auto first = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  auto objects = storage_->objects();
  const ObjectId other = random_object_id();
  objects[object_name(kPointsPrefix, other)] = objects.at(object_name(kPointsPrefix, first.id));
  const auto moved = open_as(std::make_shared<fakes::MemoryStorage>(objects), owner_);
  EXPECT_EQ(refusal([&] { get_point({}, *moved, other); }), base::Code::corrupt);
}

TEST_F(Threat, AKeyOfAnotherRepositoryOpensNothing) {
  fakes::MemoryStorage elsewhere;
  const Credential stranger = make_repository(elsewhere);
  EXPECT_EQ(refusal([&] { open_as(storage_, stranger); }), base::Code::key);
  auto objects = storage_->objects();
  objects["config"] = elsewhere.objects().at("config");
  EXPECT_EQ(refusal([&] { open_as(std::make_shared<fakes::MemoryStorage>(objects), owner_); }), base::Code::key);
}

TEST_F(Threat, AClockThatIsWrongByAYearCostsNothing) {
  // The store's clock a year back, then a year ahead: what counts is the order in which it saw things.
  const auto first = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  for (const int days : {-365, 365, 0}) {
    storage_->set_time(std::chrono::sys_days(std::chrono::year(2026) / 11 / 28) + std::chrono::days(days));
    fill(disk_, 0, 500, static_cast<unsigned>(days + 1000));
    const auto point = back_up(*as_owner_, disk_, {.name = "web1", .parent = latest(*as_owner_, "web1")}).point;
    prune({}, *as_maintenance_, {});
    EXPECT_EQ(restore(*as_owner_, point), disk_.bytes());
  }
  // A host whose clock is ahead must not push real points out: the newest that the store saw is kept, whatever it says.
  const auto decisions = plan_forget({}, *as_owner_, {.policy = {.last = 1}});
  std::size_t kept = 0;
  for (const auto& decision : decisions) kept += decision.goes() ? 0 : 1;
  EXPECT_GE(kept, 1U);
  EXPECT_TRUE(check_all(*as_owner_).clean());
}

}  // namespace
}  // namespace muster::backup
