// Damage: every byte of a repository flipped, one at a time, is found by check, and nothing that is restored is wrong.
#include "backup/object_names.h"
#include "backup/repair.h"
#include "tests/backup/support.h"
#include "tests/fakes/fault_storage.h"

namespace muster::backup {
namespace {

using fakes::MemoryDisk;

// Sanitizers take ten times as long: they see a part of the flips.
#ifdef MUSTER_SANITIZED
constexpr std::size_t kStride = 17;
#else
constexpr std::size_t kStride = 1;
#endif

class Damage : public testing::Test {
 protected:
  // A small one: two points, two chunks of their own each.
  Damage() : disk_(3 * kTestChunkBytes) {
    fill(disk_, 0, 900, 1);
    fill(disk_, 2 * kTestChunkBytes, 500, 2);
    first_ = back_up(*repository_, disk_).point;
    first_bytes_ = disk_.bytes();
    fill(disk_, kTestChunkBytes, 300, 3);
    second_ = back_up(*repository_, disk_, {.parent = first_}).point;
  }

  std::shared_ptr<fakes::MemoryStorage> storage_ = std::make_shared<fakes::MemoryStorage>();
  Credential owner_ = make_repository(*storage_);
  std::unique_ptr<Repository> repository_ = open_as(storage_, owner_);
  MemoryDisk disk_;
  RestorePoint first_, second_;
  base::Bytes first_bytes_;
};

bool is_found(std::shared_ptr<Storage> storage, const Credential& owner) {
  try {
    return !check_all(*open_as(std::move(storage), owner)).clean();
  } catch (const base::Error&) {
    return true;  // not even opened
  }
}

// What a restore gives is right, or there is none.
void expect_never_wrong(std::shared_ptr<Storage> storage, const Credential& owner, const RestorePoint& point,
                        const base::Bytes& bytes) {
  try {
    const auto repository = open_as(std::move(storage), owner);
    const auto listed = get_point({}, *repository, point.id);
    ASSERT_EQ(restore(*repository, listed.point), bytes);
  } catch (const base::Error&) {
    // That is what damage is for.
  }
}

TEST_F(Damage, EveryFlippedByteIsFoundAndNothingWrongComesOut) {
  expect_clean(*repository_);
  const auto whole = storage_->objects();
  std::size_t flips = 0;
  for (const auto& [name, bytes] : whole) {
    if (name.starts_with(kKeysPrefix)) continue;  // the test opens with the credential itself; see below
    for (std::size_t at = flips % kStride; at < bytes.size(); at += kStride, ++flips) {
      auto objects = whole;
      objects.at(name)[at] ^= static_cast<std::byte>(1U << (at % 8));
      const auto storage = std::make_shared<fakes::MemoryStorage>(objects);
      ASSERT_TRUE(is_found(storage, owner_)) << name << " byte " << at;
      if (at % 7 == 0) expect_never_wrong(storage, owner_, second_, disk_.bytes());
    }
  }
  EXPECT_GT(flips, 5000U / kStride);
  RecordProperty("flips", static_cast<int>(flips));
}

TEST_F(Damage, AFlippedByteInAKeyIsFound) {
  const auto whole = storage_->objects();
  for (const auto& [name, bytes] : whole) {
    if (!name.starts_with(kKeysPrefix)) continue;
    for (std::size_t at = 0; at < bytes.size(); at += kStride) {
      auto objects = whole;
      objects.at(name)[at] ^= std::byte{16};
      ASSERT_TRUE(is_found(std::make_shared<fakes::MemoryStorage>(objects), owner_)) << name << " byte " << at;
    }
  }
}

TEST_F(Damage, EveryTruncatedObjectIsFound) {
  const auto whole = storage_->objects();
  for (const auto& [name, bytes] : whole) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, bytes.size() / 2, bytes.size() - 1}) {
      auto objects = whole;
      objects.at(name).resize(size);
      const auto storage = std::make_shared<fakes::MemoryStorage>(objects);
      ASSERT_TRUE(is_found(storage, owner_)) << name << " cut to " << size;
      expect_never_wrong(storage, owner_, second_, disk_.bytes());
    }
  }
}

TEST_F(Damage, AMissingPackIsFoundAndItsPointsNamed) {
  for (const auto& pack : list_packs({}, *storage_)) {
    auto objects = storage_->objects();
    objects.erase(pack_name(pack));
    const auto result = check_all(*open_as(std::make_shared<fakes::MemoryStorage>(objects), owner_));
    EXPECT_FALSE(result.clean());
    EXPECT_FALSE(result.broken_points.empty());
  }
}

TEST_F(Damage, ALostIndexIsMadeAnew) {
  auto objects = storage_->objects();
  std::erase_if(objects, [](const auto& object) { return object.first.starts_with(kIndexPrefix); });
  const auto repository = open_as(std::make_shared<fakes::MemoryStorage>(objects), owner_);
  const auto found = check_all(*repository);
  EXPECT_FALSE(found.clean());
  EXPECT_EQ(found.broken_points.size(), 2U);
  const auto plan = plan_repair({}, *repository, found);
  EXPECT_EQ(plan.index_packs.size(), 4U);
  mend(*repository, plan);
  expect_clean(*repository);
  EXPECT_EQ(restore(*repository, second_), disk_.bytes());
  EXPECT_EQ(restore(*repository, first_), first_bytes_);
}

TEST_F(Damage, ADamagedRecordIsStoredAgainByTheNextBackup) {
  auto objects = storage_->objects();
  const auto index = Index::load({}, *repository_);
  PackKeyCache keys(*repository_);
  ChunkReader chunks(*repository_, *index, keys);
  const auto entries = MapReader(chunks, first_.disks[0].map).leaf({}, first_.disks[0].map.root, 0);
  const auto place = index->find({}, RecordKind::chunk, *entries.at(0));
  objects.at(pack_name(place->pack))[place->place.offset + 100] ^= std::byte{1};
  const auto repository = open_as(std::make_shared<fakes::MemoryStorage>(objects), owner_);
  const auto found = check_all(*repository);
  ASSERT_EQ(found.damaged.size(), 1U);
  EXPECT_EQ(found.broken_points.size(), 2U);
  const auto done = mend(*repository, plan_repair({}, *repository, found));
  EXPECT_EQ(done.quarantined, 1U);
  EXPECT_EQ(done.still_missing, 1U);
  const auto third = back_up(*repository, disk_, {.parent = second_}).point;
  EXPECT_EQ(third.bytes_new, kTestChunkBytes);
  // The earlier ones are whole again, too.
  EXPECT_EQ(restore(*repository, second_), disk_.bytes());
  EXPECT_EQ(restore(*repository, first_), first_bytes_);
  EXPECT_TRUE(check_all(*repository).broken_points.empty());
}

TEST_F(Damage, ADamagedTableIsMadeAnewInOneGo) {
  for (const auto& [name, bytes] : storage_->objects()) {
    if (!name.starts_with(kIndexPrefix)) continue;
    auto objects = storage_->objects();
    objects.at(name).back() ^= std::byte{1};  // in the last entry
    const auto repository = open_as(std::make_shared<fakes::MemoryStorage>(objects), owner_);
    mend(*repository);
    EXPECT_EQ(restore(*repository, second_), disk_.bytes());
    EXPECT_EQ(restore(*repository, first_), first_bytes_);
    EXPECT_TRUE(check_all(*repository).clean());
  }
}

TEST_F(Damage, ALostPackIsStoredAgainByTheNextBackup) {
  auto objects = storage_->objects();
  for (const auto& pack : list_packs({}, *storage_))
    if (read_pack_table({}, *storage_, repository_->id(), pack).places.front().kind == RecordKind::chunk)
      objects.erase(pack_name(pack));
  const auto repository = open_as(std::make_shared<fakes::MemoryStorage>(objects), owner_);
  mend(*repository);
  const auto third = back_up(*repository, disk_, {.parent = second_}).point;
  EXPECT_EQ(restore(*repository, third), disk_.bytes());
  EXPECT_EQ(restore(*repository, second_), disk_.bytes());
}

TEST_F(Damage, ASecondRepositoryGivesBackWhatIsLost) {
  const auto copy = open_as(std::make_shared<fakes::MemoryStorage>(storage_->objects()), owner_);
  auto other_storage = std::make_shared<fakes::MemoryStorage>();
  const auto other = open_as(other_storage, make_repository(*other_storage));
  back_up(*other, disk_);
  for (const Repository* second : {copy.get(), other.get()}) {
    auto objects = storage_->objects();
    std::size_t lost = 0;
    for (const auto& pack : list_packs({}, *storage_)) {
      // Of another repository, chunks only.
      const auto kind = read_pack_table({}, *storage_, repository_->id(), pack).places.front().kind;
      if (second == copy.get() || kind == RecordKind::chunk) lost += objects.erase(pack_name(pack));
    }
    const auto repository = open_as(std::make_shared<fakes::MemoryStorage>(objects), owner_);
    // Pages first, then what they name.
    for (int round = 0; round < 2; ++round) mend(*repository, second);
    EXPECT_TRUE(check_all(*repository).broken_points.empty()) << lost;
    EXPECT_EQ(restore(*repository, second_), disk_.bytes());
  }
}

}  // namespace
}  // namespace muster::backup
