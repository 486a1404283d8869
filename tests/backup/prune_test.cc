// Letting go: what no restore point needs goes, what one needs stays, whoever else is at work.
#include "backup/prune.h"

#include "backup/forget.h"
#include "backup/lease.h"
#include "backup/object_names.h"
#include "backup/sentence.h"
#include "tests/backup/support.h"

namespace muster::backup {
namespace {

using fakes::MemoryDisk;

constexpr std::size_t kMib = 1U << 20;

class PruneTest : public testing::Test {
 protected:
  std::size_t count(std::string_view prefix) const {
    std::size_t found = 0;
    storage_->list({}, prefix, [&](const StoredObject&) { ++found; });
    return found;
  }
  void forget(const RestorePoint& point) { forget_points({}, *repository_, {point.id}); }

  std::shared_ptr<fakes::MemoryStorage> storage_ = std::make_shared<fakes::MemoryStorage>();
  Credential owner_ = make_repository(*storage_);
  std::unique_ptr<Repository> repository_ = open_as(storage_, owner_);
};

TEST_F(PruneTest, WithNothingToLetGoNothingHappens) {
  MemoryDisk disk(4 * kMib);
  fill(disk, 0, 4 * kMib, 1);
  const auto point = back_up(*repository_, disk).point;
  const auto before = storage_->objects();
  const auto result = prune({}, *repository_, {});
  EXPECT_EQ(result.sentenced_packs, 0U);
  EXPECT_EQ(storage_->objects(), before);
  EXPECT_EQ(restore(*repository_, point), disk.bytes());
}

TEST_F(PruneTest, WhatOnlyAForgottenPointHadGoes) {
  MemoryDisk first(4 * kMib), second(4 * kMib);
  fill(first, 0, 4 * kMib, 1);
  fill(second, 0, 4 * kMib, 2);
  const auto old = back_up(*repository_, first).point;
  const auto kept = back_up(*repository_, second).point;
  forget(old);
  const auto planned = prune({}, *repository_, {.act = PruneOptions::Act::plan});
  EXPECT_EQ(planned.sentenced_packs, 2U);  // one of chunks, one of pages
  EXPECT_EQ(count(kPacksPrefix), 4U);
  const auto result = prune({}, *repository_, {});
  EXPECT_EQ(result.removed_packs, 2U);
  EXPECT_GT(result.removed_bytes, 2 * kMib);
  EXPECT_TRUE(result.waited_for.empty());
  EXPECT_EQ(count(kPacksPrefix), 2U);
  EXPECT_EQ(restore(*repository_, kept), second.bytes());
  expect_clean(*repository_);
}

TEST_F(PruneTest, APackThatIsMostlyUnneededIsWrittenAnew) {
  MemoryDisk disk(8 * kMib);
  fill(disk, 0, 8 * kMib, 1);
  const auto old = back_up(*repository_, disk).point;
  fill(disk, kMib, 7 * kMib, 2);
  const auto kept = back_up(*repository_, disk, {.parent = old}).point;
  forget(old);
  const auto result = prune({}, *repository_, {});
  EXPECT_EQ(result.repacked_packs, 1U);
  EXPECT_LT(result.repacked_bytes, 2 * kMib);
  EXPECT_EQ(restore(*repository_, kept), disk.bytes());
  expect_clean(*repository_);
  EXPECT_EQ(prune({}, *repository_, {}).sentenced_packs, 0U);
}

TEST_F(PruneTest, WhoeverIsAtWorkIsWaitedFor) {
  MemoryDisk disk(2 * kMib);
  fill(disk, 0, 2 * kMib, 1);
  forget(back_up(*repository_, disk).point);
  storage_->advance(std::chrono::hours(1));
  {
    const Lease lease({}, *repository_, {.kind = LeaseKind::reader, .contents = {}});
    const auto waiting = prune({}, *repository_, {});
    EXPECT_EQ(waiting.removed_packs, 0U);
    ASSERT_EQ(waiting.waited_for.size(), 1U);
    EXPECT_EQ(waiting.waited_for.front().kind, "reader");
    EXPECT_EQ(count(kPacksPrefix), 2U);
  }
  EXPECT_EQ(prune({}, *repository_, {}).removed_packs, 2U);
  EXPECT_EQ(count(kPacksPrefix), 0U);
}

TEST_F(PruneTest, ALeaseThatIsNotRenewedEnds) {
  MemoryDisk disk(2 * kMib);
  fill(disk, 0, 2 * kMib, 1);
  forget(back_up(*repository_, disk).point);
  const Lease lease({}, *repository_, {.kind = LeaseKind::writer, .contents = {}}, std::chrono::hours(1000));
  storage_->advance(kLeaseTime + std::chrono::seconds(1));
  EXPECT_EQ(prune({}, *repository_, {}).removed_packs, 2U);
}

TEST_F(PruneTest, WhatAReaderHoldsStaysThoughItsPointIsForgotten) {
  MemoryDisk disk(2 * kMib);
  fill(disk, 0, 2 * kMib, 1);
  const auto point = back_up(*repository_, disk).point;
  const Lease lease({}, *repository_, {.kind = LeaseKind::reader, .contents = {point.disks.front().map}});
  forget(point);
  prune({}, *repository_, {});
  EXPECT_EQ(restore(*repository_, point), disk.bytes());
}

TEST_F(PruneTest, AnUnreadablePointStopsItAll) {
  MemoryDisk disk(2 * kMib);
  fill(disk, 0, 2 * kMib, 1);
  const auto kept = back_up(*repository_, disk).point;
  fill(disk, 0, 2 * kMib, 2);
  forget(back_up(*repository_, disk).point);
  auto objects = storage_->objects();
  objects.at(object_name(kPointsPrefix, kept.id))[60] ^= std::byte{1};
  const auto damaged = std::make_shared<fakes::MemoryStorage>(objects);
  const auto repository = open_as(damaged, owner_);
  EXPECT_THROW(prune({}, *repository, {}), base::Error);
  std::size_t packs = 0;
  damaged->list({}, kPacksPrefix, [&](const StoredObject&) { ++packs; });
  EXPECT_EQ(packs, 4U);
}

TEST_F(PruneTest, WhatDeadWritersLeftGoes) {
  MemoryDisk disk(2 * kMib);
  fill(disk, 0, 2 * kMib, 1);
  RestorePoint point = back_up(*repository_, disk).point;
  const RestorePoint kept = point;
  point.id = random_object_id();
  put_point({}, *repository_, point);  // and never confirmed
  EXPECT_EQ(prune({}, *repository_, {}).removed_points, 1U);
  // Somebody who slept through it does not get it confirmed.
  EXPECT_EQ(decide_point({}, *repository_, kept.id, PointState::confirmed), PointState::confirmed);
  EXPECT_EQ(decide_point({}, *repository_, point.id, PointState::confirmed), PointState::rejected);
}

TEST_F(PruneTest, ASentenceNobodyJudgedIsAcquitted) {
  MemoryDisk disk(2 * kMib);
  fill(disk, 0, 2 * kMib, 1);
  const auto point = back_up(*repository_, disk).point;
  const auto packs = list_packs({}, *storage_);
  const Sentence sentence{.id = random_object_id(), .packs = packs, .session = random_object_id()};
  put_sentence({}, *repository_, sentence);
  // A new backup does not rely on what is sentenced.
  EXPECT_EQ(back_up(*repository_, disk, {.name = "vm2"}).point.bytes_new, 2 * kMib);
  prune({}, *repository_, {});
  EXPECT_EQ(back_up(*repository_, disk, {.name = "vm3"}).point.bytes_new, 0U);
  EXPECT_EQ(restore(*repository_, point), disk.bytes());
  EXPECT_FALSE(
      put_verdict({}, *repository_, {.sentence = sentence.id, .condemned = packs, .session = sentence.session}));
}

TEST_F(PruneTest, SmallPacksAreJoined) {
  MemoryDisk disk(4 * kMib);
  std::optional<RestorePoint> parent;
  for (unsigned i = 0; i < 40; ++i) {
    fill(disk, i * 100'000, 1000, i);
    parent = back_up(*repository_, disk, {.parent = parent}).point;
  }
  EXPECT_EQ(count(kPacksPrefix), 80U);
  prune({}, *repository_, {});
  EXPECT_LE(count(kPacksPrefix), 4U);
  EXPECT_LE(count(kIndexPrefix), 2U);
  EXPECT_EQ(restore(*repository_, *parent), disk.bytes());
  expect_clean(*repository_);
}

}  // namespace
}  // namespace muster::backup
