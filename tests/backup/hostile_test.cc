// Tables, maps, labels and revocations that somebody made up, signed as they should be: nothing comes out of them but
// an error, for nobody else.
#include "backup/labels.h"
#include "backup/point_disk.h"
#include "backup/prune.h"
#include "tests/backup/tenants.h"

namespace muster::backup {
namespace {

using fakes::MemoryDisk;

class Hostile : public Tenants {
 protected:
  // Of the owner's domain, in the only pack of chunks.
  ChunkPlace place_of(const MapEntry& entry) const {
    return Index::load({}, *as_owner_)->find({}, RecordKind::chunk, entry.value()).value();
  }
  static void put_table(const Repository& as, const ObjectId& pack, const std::vector<RecordPlace>& places) {
    std::vector<IndexEntry> entries;
    for (const auto& place : places) entries.push_back({place, 0});
    auto builder = build_index_table({pack}, std::move(entries));
    put_index_table({}, as, builder);
  }
  ChunkId name_of_first(const Credential& credential, Domain domain) const {
    return RecordOpener(credential)
        .id_of(RecordKind::chunk, domain, base::ByteView(disk_.bytes()).first(kTestChunkBytes));
  }
};

TEST_F(Hostile, TwoChunksThatAreSaidToStandInOnePlaceAreTwo) {
  const auto point = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  const auto entries = chunks_of(point);
  const ChunkPlace first = place_of(entries[0]);
  RecordPlace lie = first.place;
  lie.id = *entries[1];
  // Whichever table is asked first.
  for (int i = 0; i < 30; ++i) put_table(*as_other_, first.pack, {lie});
  EXPECT_EQ(restore(*as_owner_, point), disk_.bytes());
}

TEST_F(Hostile, WhatMaintenanceWritesAnewStaysTheWordOfWhoSaidIt) {
  back_up(*as_owner_, disk_, {.name = "seed"});
  fill(disk_, 0, kTestChunkBytes, 9);
  const std::vector<ChunkId> wanted{name_of_first(owner_, 0), name_of_first(owner_, kBaseDomain)};
  // So many that they are merged.
  for (int i = 0; i < 20; ++i)
    for (const auto& id : wanted) lie_about(*as_other_, id);
  MemoryDisk going(kTestChunkBytes);
  fill(going, 0, kTestChunkBytes, 77);
  const auto gone = back_up(*as_owner_, going, {.name = "gone"}).point;
  storage_->remove({}, object_name(kPointsPrefix, gone.id));
  prune({}, *as_maintenance_, {.repack_percent = 100});
  ASSERT_LT(list_index_tables({}, *storage_).size(), 20U);
  const auto index = Index::load({}, *as_host_);
  for (const auto& id : wanted) EXPECT_FALSE(index->may_rely_on({}, RecordKind::chunk, id));
  const auto unharmed = back_up(*as_host_, disk_, {.name = "web1"}).point;
  EXPECT_EQ(unharmed.bytes_new, kTestChunkBytes);
  EXPECT_EQ(restore(*as_owner_, unharmed), disk_.bytes());
}

TEST_F(Hostile, TheirOwnWordStillCountsForThemselvesAfterwards) {
  for (int i = 0; i < 20; ++i) {
    fill(disk_, 0, kTestChunkBytes, static_cast<unsigned>(i + 10));
    back_up(*as_other_, disk_, {.name = "tenant"});
  }
  prune({}, *as_maintenance_, {});
  EXPECT_LT(list_index_tables({}, *storage_).size(), 20U);
  EXPECT_EQ(back_up(*as_other_, disk_, {.name = "tenant"}).point.bytes_new, 0U);
}

TEST_F(Hostile, RecordsThatOverlapEndNoPrune) {
  const auto point = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  fill(disk_, 0, 2 * kTestChunkBytes, 5);
  const auto kept = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  const auto entries = chunks_of(kept);
  const ChunkPlace last = place_of(entries[2]);
  // Both of one signer, so that they are copied together: a record that is there, under another chunk's name, and the
  // end of it, which comes first.
  RecordPlace whole = last.place, inside = last.place;
  whole.id = *entries[0];
  inside.offset += 1;
  inside.record_bytes = 100;
  put_table(*as_other_, last.pack, {whole, inside});
  storage_->remove({}, object_name(kPointsPrefix, point.id));
  prune({}, *as_maintenance_, {.repack_percent = 0});
  EXPECT_EQ(restore(*as_owner_, kept), disk_.bytes());
}

TEST_F(Hostile, LabelsOfOtherDomainsAndMastersStayAsTheyAre) {
  const auto master = back_up(as_owner_->in_domain(kBaseDomain), disk_, {.name = "master"}).point;
  change_labels({}, *as_owner_, master.id, {.pin = true});
  Credential pretending = other_;
  pretending.writes_in = kBaseDomain;
  change_labels({}, *open_as(storage_, pretending), master.id, {.add = {"theirs"}, .pin = false});
  const auto labels = labels_of(get_point({}, *as_owner_, master.id).point, read_labels({}, *as_owner_));
  EXPECT_TRUE(labels.pinned);
  EXPECT_TRUE(labels.tags.empty());
}

TEST_F(Hostile, AnExportBringsInNobodyElsesDataEither) {
  const auto secret = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  const auto thief = put_map(*as_other_, secret, chunks_of(secret), disk_.size_bytes());
  const auto index = Index::load({}, *as_owner_);
  PointDisk disk(*as_owner_, *index, thief.disks[0].map, {});
  base::Bytes bytes(512);
  EXPECT_EQ(refusal([&] { disk.read({}, 0, bytes); }), base::Code::corrupt);
}

TEST_F(Hostile, AShortChunkInALongOnesPlaceIsAnError) {
  MemoryDisk small(100);
  fill(small, 0, 100, 3);
  const auto point = back_up(*as_other_, small, {.name = "tenant"}).point;
  const MapEntry chunk = chunks_of(point)[0];
  const auto twice = put_map(*as_other_, point, {chunk, chunk}, kTestChunkBytes + 100);
  const auto index = Index::load({}, *as_owner_);
  PointDisk disk(*as_owner_, *index, twice.disks[0].map, {});
  base::Bytes bytes(50);
  disk.read({}, kTestChunkBytes, bytes);  // where it fits; kept from now on
  EXPECT_EQ(refusal([&] { disk.read({}, 1000, bytes); }), base::Code::corrupt);
}

TEST_F(Hostile, SomebodyElsesPointDoesNotMakeOursLookBroken) {
  const auto ours = back_up(*as_owner_, disk_, {.name = "web1"}).point;
  RestorePoint theirs = ours;
  theirs.id = random_object_id();
  theirs.time -= std::chrono::hours(1000);
  put_point({}, *as_other_, theirs);
  const auto found = check_all(*as_owner_);
  for (const auto& broken : found.broken_points) EXPECT_NE(broken.first, ours.id);
}

TEST_F(Hostile, ARevocationThatSomebodyElsePutFirstIsTold) {
  const std::string name = object_name(kRevokedPrefix, host_.signer());
  as_other_->put_document({}, as_other_->address(name, DocumentKind::host), base::Bytes(10), Encrypted::no);
  EXPECT_EQ(refusal([&] { as_owner_->revoke_host({}, host_.signer()); }), base::Code::refused);
  storage_->remove({}, name);
  as_owner_->revoke_host({}, host_.signer());
}

TEST_F(Hostile, ATableOfAnotherRepositoryStopsNothing) {
  back_up(*as_owner_, disk_, {.name = "web1"});
  auto elsewhere = std::make_shared<fakes::MemoryStorage>();
  const auto stranger = open_as(elsewhere, make_repository(*elsewhere));
  back_up(*stranger, disk_, {.name = "web1"});
  auto objects = storage_->objects();
  for (const auto& [name, bytes] : elsewhere->objects())
    if (name.starts_with(kIndexPrefix) || name.starts_with(kPacksPrefix)) objects.emplace(name, bytes);
  const auto mixed = open_as(std::make_shared<fakes::MemoryStorage>(objects), owner_);
  EXPECT_EQ(back_up(*mixed, disk_, {.name = "web2"}).point.bytes_new, 0U);
  EXPECT_EQ(restore(*mixed, latest(*mixed, "web1")), disk_.bytes());
}

}  // namespace
}  // namespace muster::backup
