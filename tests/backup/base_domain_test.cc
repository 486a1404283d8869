// The base domain: masters that the owner puts, whose chunks hosts of all domains name instead of storing them.
#include "backup/forget.h"
#include "backup/object_names.h"
#include "backup/prune.h"
#include "backup/repair.h"
#include "tests/backup/support.h"

namespace muster::backup {
namespace {

using fakes::MemoryDisk;

constexpr std::size_t kDiskBytes = 8 * kTestChunkBytes;
constexpr unsigned kMasterSeed = 1;

class BaseDomain : public testing::Test {
 protected:
  BaseDomain() {
    fill(master_, 0, kDiskBytes, kMasterSeed);
    for (const Credential& host : {one_, two_}) {
      Host known{.id = host.signer(), .label = "host", .domain = host.home(), .names = {}, .revoked = {}};
      known.signing_key = ed25519_public_key(host.signing_seed);
      as_owner_->add_host({}, known);
    }
  }
  RestorePoint put_master() { return back_up(as_owner_->in_domain(kBaseDomain), master_, {.name = "master"}).point; }

  std::shared_ptr<fakes::MemoryStorage> storage_ = std::make_shared<fakes::MemoryStorage>();
  Credential owner_ = make_repository(*storage_);
  Credential one_ = host_credential(owner_, 1), two_ = host_credential(owner_, 2);
  std::unique_ptr<Repository> as_owner_ = open_as(storage_, owner_), as_one_ = open_as(storage_, one_),
                              as_two_ = open_as(storage_, two_);
  MemoryDisk master_{kDiskBytes};
};

TEST_F(BaseDomain, ClonesOfAllDomainsStoreWhatTheyChanged) {
  put_master();
  MemoryDisk clone(kDiskBytes);
  fill(clone, 0, kDiskBytes, kMasterSeed);
  EXPECT_EQ(back_up(*as_one_, clone, {.name = "one"}).point.bytes_new, 0U);
  fill(clone, kTestChunkBytes, kTestChunkBytes, 2);
  EXPECT_EQ(back_up(*as_two_, clone, {.name = "two"}).point.bytes_new, kTestChunkBytes);
  EXPECT_EQ(restore(*as_owner_, latest(*as_owner_, "one")), master_.bytes());
  EXPECT_EQ(restore(*as_owner_, latest(*as_owner_, "two")), clone.bytes());
  expect_clean(*as_owner_);
}

TEST_F(BaseDomain, TheNextBackupKnowsWhatIsTheBases) {
  put_master();
  const auto first = back_up(*as_one_, master_, {.name = "one"}).point;
  const auto unchanged = back_up(*as_one_, master_, {.name = "one", .parent = first});
  EXPECT_EQ(unchanged.changed_chunks, 0U);
  EXPECT_EQ(unchanged.point.disks[0].map.root, first.disks[0].map.root);
  MemoryDisk written(kDiskBytes);
  fill(written, 0, kDiskBytes, kMasterSeed);
  fill(written, 0, 100, 3);
  const auto dirty = back_up(*as_one_, written, {.name = "one", .parent = first, .dirty = {{{0, kTestChunkBytes}}}});
  EXPECT_EQ(dirty.changed_chunks, 1U);
  EXPECT_EQ(restore(*as_owner_, dirty.point), written.bytes());
}

TEST_F(BaseDomain, ADeltaRestoreKnowsItToo) {
  put_master();
  MemoryDisk clone(kDiskBytes);
  fill(clone, 0, kDiskBytes, kMasterSeed);
  fill(clone, 0, kTestChunkBytes, 2);
  const auto point = back_up(*as_one_, clone, {.name = "one"}).point;
  MemoryDisk target(kDiskBytes);
  fill(target, 0, kDiskBytes, kMasterSeed);
  const auto index = Index::load({}, *as_owner_);
  Progress progress;
  const auto counts =
      restore_disk({}, *as_owner_, *index,
                   {.map = point.disks[0].map, .domain = point.domain, .before = Before::similar}, target, progress);
  EXPECT_EQ(counts.written_bytes, kTestChunkBytes);
  EXPECT_EQ(counts.kept_bytes, kDiskBytes - kTestChunkBytes);
  EXPECT_EQ(target.bytes(), clone.bytes());
}

TEST_F(BaseDomain, AMasterThatIsForgottenLeavesWhatClonesNeed) {
  const auto master = put_master();
  MemoryDisk clone(kDiskBytes);
  fill(clone, 0, kDiskBytes, kMasterSeed);
  fill(clone, 0, kDiskBytes / 2, 2);
  back_up(*as_one_, clone, {.name = "one"});
  forget_points({}, *as_owner_, {master.id});
  const auto maintenance = open_as(storage_, maintenance_credential(owner_, 3));
  prune({}, *maintenance, {});
  storage_->advance(std::chrono::hours(100));
  prune({}, *maintenance, {});
  EXPECT_EQ(restore(*as_owner_, latest(*as_owner_, "one")), clone.bytes());
  expect_clean(*as_owner_);
}

TEST_F(BaseDomain, HostsReadWhatIsThereAndWriteNothing) {
  const auto master = put_master();
  EXPECT_EQ(latest(*as_one_, "master").id, master.id);
  EXPECT_THROW(as_one_->in_domain(kBaseDomain), base::Error);
  EXPECT_THROW(restore(*as_one_, master), base::Error) << "nor the data in it";
  Credential pretending = one_;
  pretending.writes_in = kBaseDomain;
  back_up(*open_as(storage_, pretending), master_, {.name = "forged"});
  EXPECT_THROW(latest(*as_owner_, "forged"), base::Error);
  EXPECT_THROW(latest(*as_two_, "forged"), base::Error);
}

TEST_F(BaseDomain, WhatAHostSaysOfItCountsInItsOwnDomainAlone) {
  back_up(*as_owner_, master_, {.name = "seed"});  // some pack to lie about
  const ChunkId id =
      RecordOpener(one_).id_of(RecordKind::chunk, kBaseDomain, base::ByteView(master_.bytes()).first(kTestChunkBytes));
  auto builder =
      build_index_table({list_packs({}, *storage_).front()},
                        {{{.id = id, .offset = 48, .record_bytes = 200, .plain_bytes = kTestChunkBytes}, 0}});
  put_index_table({}, *as_one_, builder);
  const auto unharmed = back_up(*as_two_, master_, {.name = "two"}).point;
  EXPECT_EQ(unharmed.bytes_new, kDiskBytes);
  EXPECT_EQ(restore(*as_owner_, unharmed), master_.bytes());
  const auto base = back_up(as_owner_->in_domain(kBaseDomain), master_, {.name = "master"}).point;
  EXPECT_EQ(restore(*as_owner_, base), master_.bytes());
}

TEST_F(BaseDomain, AParentOfAnotherDomainIsNone) {
  const auto theirs = back_up(*as_one_, master_, {.name = "web"}).point;
  const auto ours = back_up(*as_owner_, master_, {.name = "web", .parent = theirs}).point;
  EXPECT_FALSE(ours.parent);
  EXPECT_EQ(restore(*as_owner_, ours), master_.bytes());
  expect_clean(*as_owner_);
}

TEST_F(BaseDomain, AllDomainsAreFilledAgainFromACopy) {
  put_master();
  MemoryDisk clone(kDiskBytes);
  fill(clone, 0, kDiskBytes, kMasterSeed);
  fill(clone, 0, kTestChunkBytes, 2);
  back_up(*as_one_, clone, {.name = "one"});
  back_up(*as_owner_, clone, {.name = "ours"});
  const auto copy = open_as(std::make_shared<fakes::MemoryStorage>(storage_->objects()), owner_);
  for (const auto& pack : list_packs({}, *storage_)) storage_->remove({}, pack_name(pack));
  for (int round = 0; round < 2; ++round)  // pages first, then what they name
    mend(*as_owner_, copy.get());
  for (const char* name : {"one", "ours"})
    EXPECT_EQ(restore(*as_owner_, latest(*as_owner_, name)), clone.bytes()) << name;
  expect_clean(*as_owner_);
}

TEST_F(BaseDomain, KeysOfItAreKeptInCredentials) {
  for (const Credential& host : {one_, maintenance_credential(owner_, 1)}) {
    const Credential read = decode_credential(encode_credential(host));
    ASSERT_TRUE(read.keys_of(kBaseDomain));
    EXPECT_EQ(read.home(), host.home());
    EXPECT_EQ(read.keys_of(kBaseDomain)->metadata_key, owner_.keys_of(kBaseDomain)->metadata_key);
  }
  EXPECT_FALSE(maintenance_credential(owner_, 1).keys_of(kBaseDomain)->chunk_id_key);
}

}  // namespace
}  // namespace muster::backup
