// Backups in and out: what a disk held is what comes back, and what did not change is neither read nor stored again.
#include "backup/create.h"

#include "backup/point_part.h"
#include "backup/prune.h"
#include "tests/backup/support.h"

namespace muster::backup {
namespace {

using disk::ByteRange;
using fakes::MemoryDisk;

constexpr std::size_t kMib = 1U << 20;

class Create : public testing::Test {
 protected:
  std::shared_ptr<fakes::MemoryStorage> storage_ = std::make_shared<fakes::MemoryStorage>();
  Credential owner_ = make_repository(*storage_);
  std::unique_ptr<Repository> repository_ = open_as(storage_, owner_);
};

TEST_F(Create, WhatComesBackIsWhatWasThere) {
  MemoryDisk disk(40 * kMib);
  fill(disk, 0, 100'000, 1);
  fill(disk, 5 * kMib + 17, 3 * kMib, 2);
  fill(disk, 40 * kMib - 1, 1, 3);
  const auto result = back_up(*repository_, disk);
  EXPECT_EQ(restore(*repository_, result.point), disk.bytes());
  EXPECT_LT(result.point.bytes_read, 4 * kMib);
  expect_clean(*repository_);
}

TEST_F(Create, SizesThatFitNothingComeBack) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{512}, std::size_t{65535},
                                 std::size_t{65537}, 16 * kMib, 16 * kMib + 1, 17 * kMib + 3}) {
    MemoryDisk disk(size);
    if (size > 0) fill(disk, size - 1, 1, 1);
    if (size > 70'000) fill(disk, size / 2, 70'000 - 1, 2);
    const auto result = back_up(*repository_, disk);
    EXPECT_EQ(restore(*repository_, result.point), disk.bytes()) << size;
  }
  expect_clean(*repository_);
}

TEST_F(Create, EqualChunksAreStoredOnce) {
  MemoryDisk disk(8 * kMib);
  for (std::size_t at = 0; at < 8 * kMib; at += kMib) fill(disk, at, kMib, 7);
  const auto result = back_up(*repository_, disk);
  EXPECT_EQ(result.point.bytes_new, kMib);
  EXPECT_EQ(restore(*repository_, result.point), disk.bytes());
  const auto clone = back_up(*repository_, disk, {.name = "vm2"});
  EXPECT_EQ(clone.point.bytes_new, 0U);
  EXPECT_EQ(restore(*repository_, clone.point), disk.bytes());
}

TEST_F(Create, WithAParentOnlyWhatChangedIsNew) {
  MemoryDisk disk(40 * kMib);
  fill(disk, 0, 20 * kMib, 1);
  const auto first = back_up(*repository_, disk);
  fill(disk, 3 * kMib, 1000, 2);
  fill(disk, 35 * kMib, 1000, 3);
  disk.write_zeroes({}, {10 * kMib, kMib});
  const auto second = back_up(*repository_, disk, {.parent = first.point});
  EXPECT_EQ(second.point.bytes_new, 2 * kTestChunkBytes);
  EXPECT_EQ(second.changed_chunks, 2U);
  EXPECT_EQ(restore(*repository_, second.point), disk.bytes());
  expect_clean(*repository_);
}

TEST_F(Create, GivenWhatIsDirtyNothingElseIsRead) {
  MemoryDisk disk(64 * kMib);
  fill(disk, 0, 60 * kMib, 1);
  const auto first = back_up(*repository_, disk);
  const base::Bytes before = disk.bytes();
  const std::vector<ByteRange> dirty{{0, 1}, {5 * kMib + 100, 10}, {40 * kMib - 1, 2}, {64 * kMib - 1, 1}};
  for (const auto& range : dirty) fill(disk, range.offset, range.length, 9);
  const std::uint64_t read_before = disk.bytes_read();
  const auto second = back_up(*repository_, disk, {.parent = first.point, .dirty = dirty});
  EXPECT_LE(disk.bytes_read() - read_before, 5 * kTestChunkBytes);
  EXPECT_EQ(restore(*repository_, second.point), disk.bytes());
  EXPECT_EQ(restore(*repository_, first.point), before);
}

TEST_F(Create, WhatBelongsToAMachineIsKeptWithItsDisks) {
  MemoryDisk disk(2 * kMib);
  fill(disk, 0, kMib, 1);
  MemoryDisk definition(5000);
  fill(definition, 0, 5000, 7);
  CreateRequest request{.name = "vm1", .tool = "test", .consistency = "crash"};
  request.disks.push_back(
      {.disk = "vda", .source = "/vm1", .format = "qcow2", .reader = &disk, .bitmap = "muster-1-vda"});
  request.disks.back().whole_because = "its size changed";
  request.parts.push_back({.part = "domain.xml", .bytes = definition.bytes()});
  request.machine = {
      .uuid = "a-b", .hypervisor = "hv1", .checkpoint = "muster-1", .checkpoint_xml = "<x/>", .begins = true};
  Progress progress;
  const auto id = create_restore_point({}, *repository_, request, progress).point.id;
  EXPECT_EQ(progress.done, progress.total);
  const auto point = get_point({}, *repository_, id).point;
  ASSERT_TRUE(point.machine);
  EXPECT_EQ(point.machine->uuid, "a-b");
  EXPECT_EQ(point.machine->checkpoint, "muster-1");
  EXPECT_EQ(point.machine->checkpoint_xml, "<x/>");
  EXPECT_EQ(point.disks.at(0).bitmap, "muster-1-vda");
  EXPECT_TRUE(point.machine->begins);
  EXPECT_EQ(point.disks.at(0).whole_because, "its size changed");
  EXPECT_EQ(point.size_bytes(), 2 * kMib) << "of disks alone";
  // Maintenance knows that it is needed.
  for (int round = 0; round < 2; ++round) prune({}, *repository_, {});
  expect_clean(*repository_);
  const auto index = Index::load({}, *repository_);
  EXPECT_EQ(read_part({}, *repository_, *index, point, "domain.xml"), definition.bytes());
  EXPECT_THROW(read_part({}, *repository_, *index, point, "nvram"), base::Error);
  // The same again costs nothing.
  request.parent = point;
  const auto second = create_restore_point({}, *repository_, request, progress).point;
  EXPECT_EQ(second.bytes_new, 0U);
}

// A leaf of the map is one of the disk's parts.
TEST_F(Create, AnAuditFindsWhatNobodyRecordedWithinARound) {
  MemoryDisk disk(3 * kMapFanout * kTestChunkBytes);
  fill(disk, 0, 100'000, 1);
  fill(disk, 2 * kMapFanout * kTestChunkBytes, 100'000, 2);
  auto point = back_up(*repository_, disk).point;
  const auto proved = point.disks[0].proved;
  ASSERT_TRUE(proved);
  // Written, and zeroes now where there was something: no record of either.
  fill(disk, 2 * kMapFanout * kTestChunkBytes + 5, 3, 9);
  std::vector<disk::ByteRange> none;
  unsigned rounds = 0;
  for (bool whole = false; !whole && rounds < 4; ++rounds) {
    point = back_up(*repository_, disk, {.parent = point, .dirty = none, .audit_parts = 3}).point;
    whole = !point.disks[0].whole_because.empty();
    EXPECT_EQ(restore(*repository_, point) == disk.bytes(), whole);
  }
  EXPECT_EQ(rounds, 3U);
  expect_clean(*repository_);
}

TEST_F(Create, AnAuditThatFindsNothingProvesTheDiskOnceARound) {
  MemoryDisk disk(3 * kMapFanout * kTestChunkBytes);
  fill(disk, 0, 10 * kTestChunkBytes, 1);
  fill(disk, 2 * kMapFanout * kTestChunkBytes, 5 * kTestChunkBytes, 2);
  auto point = back_up(*repository_, disk).point;
  point.disks[0].proved.reset();  // as if that was not known
  std::uint64_t audited = 0;
  for (unsigned part = 0; part < 3; ++part) {
    EXPECT_FALSE(point.disks[0].proved) << part;
    fill(disk, kTestChunkBytes, 10, 7 + part);
    point = back_up(*repository_, disk, {.parent = point, .dirty = {{{kTestChunkBytes, 10}}}, .audit_parts = 3}).point;
    audited += point.bytes_audited;
  }
  EXPECT_EQ(audited, 14U * kTestChunkBytes) << "all data but what was dirty anyhow";
  const auto known = get_point({}, *repository_, point.id).point.disks.at(0);
  ASSERT_TRUE(known.proved);
  EXPECT_EQ(*known.proved, known.audit.began);
  EXPECT_EQ(known.audit.next, 0U);
  EXPECT_EQ(known.audit.parts, 3U);
  EXPECT_EQ(restore(*repository_, point), disk.bytes());
  // Zeroes in place of data, by the source's own word.
  disk.write_zeroes({}, {2 * kMapFanout * kTestChunkBytes, kTestChunkBytes});
  std::vector<disk::ByteRange> none;
  EXPECT_EQ(
      back_up(*repository_, disk, {.parent = point, .dirty = none, .audit_parts = 1}).point.disks[0].whole_because,
      "an audit found changes that were not recorded");
}

TEST_F(Create, ADiskThatGrewOrShrankIsWholeEitherWay) {
  MemoryDisk disk(20 * kMib + 100);
  fill(disk, 0, 20 * kMib + 100, 1);
  auto parent = back_up(*repository_, disk).point;
  for (const std::size_t size : {20 * kMib + 50, 30 * kMib, 16 * kMib, 16 * kMib + 1, 50 * kMib}) {
    disk.bytes().resize(size);
    const auto next = back_up(*repository_, disk, {.parent = parent, .dirty = std::vector<ByteRange>{}});
    EXPECT_EQ(restore(*repository_, next.point), disk.bytes()) << size;
    parent = next.point;
  }
}

TEST_F(Create, ADiskThatCannotBeReadLeavesNoPoint) {
  class Broken : public MemoryDisk {
   public:
    using MemoryDisk::MemoryDisk;
    void read(const base::Context& ctx, std::uint64_t offset, base::MutableBytes into) override {
      if (offset >= 6 * kMib) throw base::Error(base::Code::io, "bad sector");
      MemoryDisk::read(ctx, offset, into);
    }
  };
  Broken disk(8 * kMib);
  fill(disk, 0, 8 * kMib, 1);
  EXPECT_THROW(back_up(*repository_, disk), base::Error);
  EXPECT_TRUE(list_points({}, *repository_).empty());
}

TEST_F(Create, ARequestToStopEndsIt) {
  MemoryDisk disk(8 * kMib);
  fill(disk, 0, 8 * kMib, 1);
  std::stop_source stop;
  stop.request_stop();
  CreateRequest request{.name = "vm1", .tool = "test", .consistency = "image"};
  request.disks.push_back({.disk = "1", .source = "memory", .format = "raw", .reader = &disk});
  Progress progress;
  try {
    create_restore_point({.stop = stop.get_token()}, *repository_, request, progress);
    ADD_FAILURE() << "not stopped";
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), base::Code::cancelled);
  }
}

}  // namespace
}  // namespace muster::backup
