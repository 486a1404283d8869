// What tests of the repository share: one in memory that is made and opened, disks with known contents, a backup and a
// restore in one call each.
#pragma once

#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "backup/check.h"
#include "backup/create.h"
#include "backup/repair.h"
#include "backup/repository.h"
#include "backup/restore.h"
#include "tests/fakes/memory_disk.h"
#include "tests/fakes/memory_storage.h"

namespace muster::backup {

inline constexpr std::uint32_t kTestChunkBytes = kMinChunkBytes;

// Made in `storage`; the owner's credential opens it.
inline Credential make_repository(Storage& storage, std::uint32_t chunk_bytes = kTestChunkBytes) {
  const NewRepository wanted{.chunk_bytes = chunk_bytes, .created = "2026-11-28T00:00:00Z"};
  const auto created = plan_repository(wanted);
  create_repository({}, storage, created, wanted);
  return created.owner;
}

inline std::unique_ptr<Repository> open_as(std::shared_ptr<Storage> storage, const Credential& credential) {
  const Config config = read_config({}, *storage);
  return std::make_unique<Repository>(std::move(storage), config, credential);
}

// Pseudo-random bytes of a seed, of 16 values each, so that they compress.
inline base::Bytes test_bytes(std::size_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  base::Bytes bytes(count + 7);
  for (std::size_t i = 0; i < count; i += 8) {
    const std::uint64_t word = (random() & 0x0f0f0f0f0f0f0f0f) + 0x6161616161616161;
    std::memcpy(bytes.data() + i, &word, 8);
  }
  bytes.resize(count);
  return bytes;
}

inline void fill(fakes::MemoryDisk& disk, std::size_t offset, std::size_t count, unsigned seed) {
  const base::Bytes bytes = test_bytes(count, seed);
  disk.write({}, offset, bytes);
}

struct BackupWords {
  std::string name = "vm1";
  std::optional<RestorePoint> parent = std::nullopt;
  std::optional<std::vector<disk::ByteRange>> dirty = std::nullopt;
  std::vector<std::string> tags = {};
  unsigned audit_parts = 0;
};

inline CreateResult back_up(const Repository& repository, disk::BlockReader& disk, const BackupWords& words = {}) {
  CreateRequest request{.name = words.name, .tool = "test", .consistency = "image", .tags = words.tags};
  request.disks.push_back({.disk = "1", .source = "memory", .format = "raw", .reader = &disk, .dirty = words.dirty});
  request.parent = words.parent;
  request.options.workers = 2;
  request.audit_parts = words.audit_parts;
  Progress progress;
  return create_restore_point({}, repository, request, progress);
}

inline base::Bytes restore(const Repository& repository, const RestorePoint& point, std::size_t disk = 0) {
  const auto index = Index::load({}, repository);
  fakes::MemoryDisk target(point.disks.at(disk).map.size_bytes);
  Progress progress;
  restore_disk({}, repository, *index,
               {.map = point.disks.at(disk).map, .domain = point.domain, .before = Before::blank, .workers = 2}, target,
               progress);
  EXPECT_TRUE(target.flushed());
  return target.bytes();
}

inline CheckResult check_all(const Repository& repository) {
  Progress progress;
  auto result = check({}, repository, {.depth = CheckDepth::data, .workers = 1}, progress);
  EXPECT_EQ(progress.done, progress.total);
  return result;
}

// What check finds, by repair.
inline RepairResult mend(const Repository& repository, const RepairPlan& plan, const Repository* second = nullptr) {
  Progress progress;
  RepairResult result = repair({}, repository, plan, second, progress);
  EXPECT_LE(progress.done, progress.total);
  return result;
}

inline RepairResult mend(const Repository& repository, const Repository* second = nullptr) {
  return mend(repository, plan_repair({}, repository, check_all(repository)), second);
}

inline void expect_clean(const Repository& repository) {
  const auto result = check_all(repository);
  EXPECT_TRUE(result.clean());
  for (const auto& finding : result.findings)
    ADD_FAILURE() << name_of(finding.kind) << ": " << finding.object << ": " << finding.what;
}

// The newest confirmed point of that name.
inline RestorePoint latest(const Repository& repository, const std::string& name = "vm1") {
  std::optional<RestorePoint> found;
  for (const auto& listed : list_points({}, repository))
    if (listed.point.name == name) found = listed.point;
  if (!found) throw base::Error(base::Code::not_found, "no restore point of " + name);
  return *found;
}

}  // namespace muster::backup
