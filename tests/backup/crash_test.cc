// Killed after any storage operation of a backup, a forget, a prune or a repair, and with any call of the file system
// that was not synced lost: the repository opens, check is clean, and what was committed comes back bit for bit.
#include <iostream>

#include "backup/directory_storage.h"
#include "backup/object_names.h"
#include "backup/prune.h"
#include "backup/repair.h"
#include "tests/backup/support.h"
#include "tests/fakes/fault_storage.h"
#include "tests/fakes/lossy_files.h"

namespace muster::backup {
namespace {

using fakes::MemoryDisk;

#ifdef MUSTER_SANITIZED
constexpr std::size_t kStride = 9;
#else
constexpr std::size_t kStride = 1;
#endif

// What a repository must give back.
struct Committed {
  ObjectId point;
  base::Bytes bytes;
};

// Two points of one machine; what each had is known.
struct Scene {
  Scene() : disk(6 * kTestChunkBytes + 100) {
    fill(disk, 0, 3 * kTestChunkBytes, 1);
    first = take();
    fill(disk, kTestChunkBytes, kTestChunkBytes, 2);
    second = take();
    fill(disk, 4 * kTestChunkBytes, kTestChunkBytes, 3);
  }
  Committed take() {
    const auto repository = open_as(storage, owner);
    return {back_up(*repository, disk, {.parent = parent()}).point.id, disk.bytes()};
  }
  std::optional<RestorePoint> parent() const {
    const auto points = list_points({}, *open_as(storage, owner));
    return points.empty() ? std::nullopt : std::optional(points.back().point);
  }

  std::shared_ptr<fakes::MemoryStorage> storage = std::make_shared<fakes::MemoryStorage>();
  Credential owner = make_repository(*storage);
  MemoryDisk disk;
  Committed first, second;
};

void expect_whole(const std::shared_ptr<Storage>& storage, const Credential& owner,
                  const std::vector<Committed>& committed, const std::string& when) {
  const auto repository = open_as(storage, owner);
  const auto found = check_all(*repository);
  ASSERT_TRUE(found.clean()) << when << ": "
                             << (found.findings.empty() ? "" : found.findings[0].object + found.findings[0].what);
  for (const auto& point : committed)
    ASSERT_EQ(restore(*repository, get_point({}, *repository, point.point).point), point.bytes) << when;
}

using Work = std::function<void(const Repository&)>;

// Runs `work` on copies of the scene, killed at each of its operations; then whole again, which must finish it.
std::size_t kill_everywhere(Scene& scene, const std::vector<Committed>& committed, const Work& work) {
  const auto objects = scene.storage->objects();
  std::size_t operations = 1;
  for (std::size_t kill = 0; kill <= operations; kill += kill == 0 ? 1 : kStride) {
    auto inner = std::make_shared<fakes::MemoryStorage>(objects);
    auto storage = std::make_shared<fakes::FaultStorage>(*inner);
    const auto repository = open_as(storage, scene.owner);
    const std::size_t opening = storage->operations().size();
    if (kill > 0) storage->kill_at(opening + kill);
    try {
      work(*repository);
      EXPECT_TRUE(kill == 0 || storage->operations().size() < opening + kill) << "not killed at " << kill;
    } catch (const fakes::Killed&) {
    }
    if (kill == 0) operations = storage->operations().size() - opening;
    expect_whole(inner, scene.owner, committed, "killed at " + std::to_string(kill));
    if (testing::Test::HasFatalFailure()) return operations;
    // Whoever comes next, much later, gets it done.
    inner->advance(std::chrono::hours(2));
    work(*open_as(inner, scene.owner));
    expect_whole(inner, scene.owner, committed, "done again after " + std::to_string(kill));
    if (testing::Test::HasFatalFailure()) return operations;
  }
  return operations;
}

TEST(Crash, ABackupMayDieAfterAnyOperation) {
  Scene scene;
  const auto parent = scene.parent();
  const std::size_t operations = kill_everywhere(scene, {scene.first, scene.second}, [&](const Repository& repository) {
    const auto result = back_up(repository, scene.disk, {.parent = parent});
    EXPECT_EQ(restore(repository, result.point), scene.disk.bytes());
  });
  std::cout << "backup: killed at each of " << operations << " storage operations\n";
  EXPECT_GT(operations, 20U);
}

TEST(Crash, AForgetMayDieAfterAnyOperation) {
  Scene scene;
  const std::size_t operations = kill_everywhere(
      scene, {scene.second}, [&](const Repository& repository) { forget_points({}, repository, {scene.first.point}); });
  std::cout << "forget: killed at each of " << operations << " storage operations\n";
  EXPECT_GE(operations, 4U);
}

TEST(Crash, APruneMayDieAfterAnyOperation) {
  Scene scene;
  forget_points({}, *open_as(scene.storage, scene.owner), {scene.first.point});
  // Something left by a writer that died, and something to write anew.
  const std::size_t operations = kill_everywhere(
      scene, {scene.second}, [&](const Repository& repository) { prune({}, repository, {.repack_percent = 1}); });
  std::cout << "prune: killed at each of " << operations << " storage operations\n";
  EXPECT_GT(operations, 50U);
}

TEST(Crash, ARepairMayDieAfterAnyOperation) {
  Scene scene;
  // Without its index, everything has to be found again; what is damaged stays so until a backup stores it anew.
  auto objects = scene.storage->objects();
  std::erase_if(objects, [](const auto& object) { return object.first.starts_with(kIndexPrefix); });
  std::size_t operations = 1;
  for (std::size_t kill = 0; kill <= operations; kill += kill == 0 ? 1 : kStride) {
    auto inner = std::make_shared<fakes::MemoryStorage>(objects);
    auto storage = std::make_shared<fakes::FaultStorage>(*inner);
    const auto repository = open_as(storage, scene.owner);
    const std::size_t opening = storage->operations().size();
    if (kill > 0) storage->kill_at(opening + kill);
    try {
      mend(*repository);
    } catch (const fakes::Killed&) {
    }
    if (kill == 0) operations = storage->operations().size() - opening;
    mend(*open_as(inner, scene.owner));
    expect_whole(inner, scene.owner, {scene.first, scene.second}, "repair killed at " + std::to_string(kill));
    if (HasFatalFailure()) return;
  }
  std::cout << "repair: killed at each of " << operations << " storage operations\n";
}

// The same below the storage: every call of the file system, and what was not synced is lost or torn.
TEST(Crash, PowerMayGoAtAnyCallOfTheFileSystem) {
  fakes::LossyFiles files;
  DirectoryStorage::create("/repo", files);
  const auto storage = std::make_shared<DirectoryStorage>("/repo", files);
  const Credential owner = make_repository(*storage);
  MemoryDisk disk(3 * kTestChunkBytes), changed(3 * kTestChunkBytes);
  fill(disk, 0, 3 * kTestChunkBytes, 1);
  changed.bytes() = disk.bytes();
  fill(changed, 100, 5000, 2);
  const Committed first{back_up(*open_as(storage, owner), disk).point.id, disk.bytes()};
  std::size_t cuts = 0, states = 0;
  for (bool finished = false; !finished; ++cuts) {
    const auto before = files.after_power_loss(0);
    const auto live = std::make_shared<DirectoryStorage>("/repo", *before);
    before->cut_at(before->calls() + 1 + cuts * kStride);
    std::vector<Committed> must{first};
    try {
      const auto repository = open_as(live, owner);
      must.push_back({back_up(*repository, changed, {.parent = latest(*repository)}).point.id, changed.bytes()});
      must.erase(must.begin());  // may be there or not, from here on
      forget_points({}, *repository, {first.point});
      prune({}, *repository, {.repack_percent = 1});
      finished = true;
    } catch (const fakes::PowerCut&) {
    }
    for (unsigned seed = 0; seed < 3; ++seed, ++states) {
      const auto lost = before->after_power_loss(seed);
      expect_whole(std::make_shared<DirectoryStorage>("/repo", *lost), owner, must,
                   "cut " + std::to_string(cuts) + ", seed " + std::to_string(seed));
      if (HasFatalFailure()) return;
    }
  }
  std::cout << "power: cut at each of " << cuts << " calls of the file system, " << states << " states after\n";
  EXPECT_GT(cuts * kStride, 100U);
}

}  // namespace
}  // namespace muster::backup
