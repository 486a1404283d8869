// A restore point's disk read at any place: the right bytes, from the store as seldom as can be, and what goes wrong is
// told to whoever reads it.
#include "backup/point_disk.h"

#include <condition_variable>
#include <latch>
#include <mutex>
#include <thread>

#include "backup/object_names.h"
#include "base/error.h"
#include "tests/backup/support.h"
#include "tests/fakes/fault_storage.h"

namespace muster::backup {
namespace {

using base::Bytes;
using base::Code;
using base::Context;
using base::MutableBytes;
using disk::ByteRange;
using fakes::MemoryDisk;

constexpr std::size_t kMib = 1U << 20, kChunk = kTestChunkBytes;
constexpr std::chrono::seconds kPatience{30};

// The reads of packs: counted, and held up or failing when a test says so.
class PackReads {
 public:
  void operator()(const fakes::Operation& operation) {
    if (operation.kind != fakes::Operation::Kind::get_range || !operation.name.starts_with(kPacksPrefix)) return;
    std::unique_lock lock(mutex_);
    ++count_;
    changed_.notify_all();
    if (!changed_.wait_for(lock, kPatience, [&] { return !held_; })) ADD_FAILURE() << "nobody lets a read go on";
    if (failing_) throw base::Error(Code::io, "the store is away");
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return count_ >= count; });
  }
  void hold(bool on) { set(held_, on); }
  void fail(bool on) { set(failing_, on); }

 private:
  void set(bool& what, bool value) {
    const std::lock_guard lock(mutex_);
    what = value;
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
  bool held_ = false, failing_ = false;
};

class PointDiskTest : public testing::Test {
 protected:
  PointDiskTest() {
    storage_->before_each([this](const fakes::Operation& operation) { reads_(operation); });
  }

  // A restore point of `source`, opened.
  void open(MemoryDisk& source, const PointDiskOptions& options = {.threads_ahead = 1}) {
    point_ = back_up(*repository_, source).point;
    disk_.reset();
    index_ = Index::load(ctx_, *repository_);
    open_again(options);
  }
  void open_again(const PointDiskOptions& options) {
    disk_ = std::make_unique<PointDisk>(*repository_, *index_, point_.disks.at(0).map, options);
  }
  Bytes read(std::uint64_t offset, std::size_t count) {
    Bytes bytes(count, std::byte{0xEE});
    disk_->read(ctx_, offset, bytes);
    return bytes;
  }
  static Bytes part_of(const MemoryDisk& source, std::uint64_t offset, std::size_t count) {
    const auto from = source.bytes().begin() + static_cast<std::ptrdiff_t>(offset);
    return {from, from + static_cast<std::ptrdiff_t>(count)};
  }
  std::optional<Code> code_of_read(std::uint64_t offset, std::size_t count) {
    try {
      read(offset, count);
    } catch (const base::Error& e) {
      return e.code();
    }
    return std::nullopt;
  }

  Context ctx_;
  std::shared_ptr<fakes::MemoryStorage> memory_ = std::make_shared<fakes::MemoryStorage>();
  PackReads reads_;
  std::shared_ptr<fakes::FaultStorage> storage_ = std::make_shared<fakes::FaultStorage>(*memory_);
  Credential owner_ = make_repository(*memory_);
  std::unique_ptr<Repository> repository_ = open_as(storage_, owner_);
  RestorePoint point_;
  std::unique_ptr<Index> index_;
  std::unique_ptr<PointDisk> disk_;
};

TEST_F(PointDiskTest, ReadsAtAnyPlaceWhatWasThere) {
  MemoryDisk source(40 * kMib + 1000);
  fill(source, 0, 3 * kMib + 5, 1);
  fill(source, 20 * kMib + 100, kChunk, 2);
  fill(source, 40 * kMib, 1000, 3);
  open(source);
  EXPECT_EQ(disk_->size_bytes(), 40 * kMib + 1000);
  for (const auto& [offset, count] : std::vector<std::pair<std::uint64_t, std::size_t>>{
           {0, 1}, {0, 4 * kMib}, {kChunk - 1, 2}, {20 * kMib, 3 * kChunk}, {40 * kMib + 1, 999}, {5, 40 * kMib}})
    EXPECT_EQ(read(offset, count), part_of(source, offset, count)) << offset << " " << count;
  EXPECT_EQ(read(disk_->size_bytes(), 0), Bytes());
}

TEST_F(PointDiskTest, WhatIsBeyondTheEndIsAnError) {
  MemoryDisk source(kMib + 1);
  open(source);
  EXPECT_EQ(code_of_read(kMib, 2), Code::io);
  EXPECT_EQ(code_of_read(kMib + 2, 0), Code::io);
  EXPECT_EQ(code_of_read(UINT64_MAX, 2), Code::io);
}

TEST_F(PointDiskTest, ADiskOfNoBytesIsOneToo) {
  MemoryDisk source(0);
  open(source);
  EXPECT_EQ(disk_->size_bytes(), 0U);
  EXPECT_TRUE(disk_->data_ranges(ctx_, {0, 0}).empty());
}

TEST_F(PointDiskTest, ZeroesAreNotAskedOfTheStore) {
  MemoryDisk empty(64 * kMib);
  open(empty);
  const std::size_t before = reads_.count();
  EXPECT_EQ(read(32 * kMib + 1, kMib), Bytes(kMib));
  EXPECT_TRUE(disk_->data_ranges(ctx_, {0, 64 * kMib}).empty());
  EXPECT_EQ(reads_.count(), before);
}

TEST_F(PointDiskTest, BesideDataOnlyTheMapIsAskedFor) {
  MemoryDisk source(64 * kMib);
  fill(source, 0, kMib, 1);
  open(source);
  read(2 * kMib, 1);
  const std::size_t before = reads_.count();
  EXPECT_EQ(read(kMib, 63 * kMib), Bytes(63 * kMib));
  EXPECT_EQ(reads_.count(), before);
}

TEST_F(PointDiskTest, DataRangesAreTheMapsOwn) {
  MemoryDisk source(64 * kMib + 10);
  fill(source, 0, 1, 1);
  fill(source, kChunk, 1, 2);
  fill(source, 33 * kMib, 17 * kMib, 3);  // over the border of two leaves
  fill(source, 64 * kMib + 9, 1, 4);
  open(source);
  const std::vector<ByteRange> all{{0, 2 * kChunk}, {33 * kMib, 17 * kMib}, {64 * kMib, 10}};
  EXPECT_EQ(disk_->data_ranges(ctx_, {0, 64 * kMib + 10}), all);
  const std::vector<ByteRange> some{{34 * kMib + 5, 10}};
  EXPECT_EQ(disk_->data_ranges(ctx_, {34 * kMib + 5, 10}), some);
  EXPECT_TRUE(disk_->data_ranges(ctx_, {2 * kChunk, kMib}).empty());
}

TEST_F(PointDiskTest, ExtentsTakeTurnsUntilEnoughAreKnown) {
  MemoryDisk source(256 * kMib);
  fill(source, kMib, kMib, 1);
  fill(source, 255 * kMib, kMib, 2);
  open(source);
  std::vector<std::pair<ByteRange, PointDisk::Extent>> seen;
  disk_->each_extent(ctx_, {0, 256 * kMib}, [&](ByteRange range, PointDisk::Extent kind) {
    seen.emplace_back(range, kind);
    return seen.size() < 3;
  });
  using enum PointDisk::Extent;
  const decltype(seen) expected{{{0, kMib}, zeroes}, {{kMib, kMib}, data}, {{2 * kMib, 253 * kMib}, zeroes}};
  EXPECT_EQ(seen, expected);
}

TEST_F(PointDiskTest, AChunkThatIsKeptIsNotReadAgain) {
  MemoryDisk source(kMib);
  fill(source, 0, kMib, 1);
  open(source);
  read(0, 100);
  const std::size_t before = reads_.count();
  for (std::uint64_t at = 0; at < kChunk; at += 512) EXPECT_EQ(read(at, 512), part_of(source, at, 512));
  EXPECT_EQ(reads_.count(), before);
}

TEST_F(PointDiskTest, TheCacheLetsGoOfWhatWasUsedLongestAgo) {
  MemoryDisk source(4 * kMib);
  fill(source, 0, 4 * kMib, 1);
  open(source, {.cached_bytes = 2 * kChunk, .threads_ahead = 1});
  const auto reads_of = [&](std::uint64_t chunk) {
    const std::size_t before = reads_.count();
    read(chunk * kChunk, 10);
    return reads_.count() - before;
  };
  for (const std::uint64_t chunk : {40U, 10U, 40U, 30U}) reads_of(chunk);
  EXPECT_EQ(reads_of(40), 0U);
  EXPECT_EQ(reads_of(10), 1U);
  EXPECT_EQ(reads_of(40), 0U);
}

TEST_F(PointDiskTest, AChunkThatManyThreadsWantIsReadOnce) {
  MemoryDisk source(kMib);
  fill(source, 0, kMib, 1);
  open(source);
  read(kMib / 2, 1);  // the map, and the pack's keys
  const std::size_t before = reads_.count();
  reads_.hold(true);
  std::vector<Bytes> seen(4);
  {
    std::latch all(4);
    std::vector<std::jthread> threads;
    for (auto& bytes : seen)
      threads.emplace_back([&] {
        all.arrive_and_wait();
        bytes = read(5, 100);
      });
    ASSERT_TRUE(reads_.wait_for(before + 1));
    reads_.hold(false);
  }
  for (const auto& bytes : seen) EXPECT_EQ(bytes, part_of(source, 5, 100));
  EXPECT_EQ(reads_.count(), before + 1);
}

TEST_F(PointDiskTest, WhoWaitsForAChunkCanBeStopped) {
  MemoryDisk source(kMib);
  fill(source, 0, kMib, 1);
  open(source);
  read(kMib / 2, 1);
  const std::size_t before = reads_.count();
  reads_.hold(true);
  std::jthread first([&] { read(0, 1); });
  ASSERT_TRUE(reads_.wait_for(before + 1));
  std::stop_source stop;
  const std::jthread stopper([&] { stop.request_stop(); });
  Bytes one(1);
  EXPECT_THROW(disk_->read({.stop = stop.get_token()}, 0, one), base::Error);
  reads_.hold(false);
}

TEST_F(PointDiskTest, ReadsThatGoOnFindTheNextChunksThere) {
  MemoryDisk source(4 * kMib);
  fill(source, 0, 4 * kMib, 1);
  open(source, {.threads_ahead = 2});
  read(0, kChunk);
  const std::size_t before = reads_.count();
  read(kChunk, kChunk);
  // The one that was read, and the window after it.
  ASSERT_TRUE(reads_.wait_for(before + 33));
  for (std::uint64_t chunk = 2; chunk < 34; ++chunk)
    EXPECT_EQ(read(chunk * kChunk, 1), part_of(source, chunk * kChunk, 1));
}

TEST_F(PointDiskTest, ALongReadIsRightWhoeverDecodesItsChunks) {
  MemoryDisk source(20 * kMib);
  fill(source, 0, 20 * kMib, 1);
  open(source, {.cached_bytes = kMib, .threads_ahead = 3});
  EXPECT_EQ(read(0, 20 * kMib), source.bytes());
  EXPECT_EQ(read(kMib + 1, 10 * kMib), part_of(source, kMib + 1, 10 * kMib));
}

TEST_F(PointDiskTest, ManyThreadsReadAtOnce) {
  MemoryDisk source(24 * kMib);
  fill(source, 0, 7 * kMib, 1);
  fill(source, 11 * kMib, 9 * kMib, 2);
  open(source, {.cached_bytes = kMib, .threads_ahead = 2});
  std::vector<std::jthread> threads;
  for (unsigned seed = 0; seed < 6; ++seed)
    threads.emplace_back([&, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 60; ++i) {
        const std::size_t count = random() % (3 * kChunk), offset = random() % (24 * kMib - count);
        EXPECT_EQ(read(offset, count), part_of(source, offset, count));
      }
    });
}

TEST_F(PointDiskTest, DamageIsToldToWhoReadsItAndToNobodyElse) {
  MemoryDisk source(4 * kMib);
  fill(source, 0, 4 * kMib, 1);
  open(source);
  auto objects = memory_->objects();
  // Of chunks; the others have pages.
  Bytes& largest = std::max_element(objects.begin(), objects.end(), [](const auto& a, const auto& b) {
                     return a.second.size() < b.second.size();
                   })->second;
  largest[largest.size() / 2] ^= std::byte{1};
  const auto damaged = std::make_shared<fakes::MemoryStorage>(objects);
  repository_ = open_as(damaged, owner_);
  index_ = Index::load(ctx_, *repository_);
  open_again({.threads_ahead = 2});
  std::size_t corrupt = 0;
  for (std::uint64_t at = 0; at < 4 * kMib; at += kChunk)
    for (int again = 0; again < 2; ++again) {
      const auto code = code_of_read(at, kChunk);
      EXPECT_EQ(code.value_or(Code::corrupt), Code::corrupt);
      corrupt += code ? 1 : 0;
    }
  EXPECT_EQ(corrupt, 2U);
}

TEST_F(PointDiskTest, AReadThatFailedWorksOnceTheStoreIsBack) {
  MemoryDisk source(kMib);
  fill(source, 0, kMib, 1);
  open(source);
  reads_.fail(true);
  EXPECT_EQ(code_of_read(0, 10), Code::io);
  reads_.fail(false);
  EXPECT_EQ(read(0, 10), part_of(source, 0, 10));
}

TEST_F(PointDiskTest, AMapOfAnotherDiskIsDamage) {
  MemoryDisk source(33 * kMib);
  fill(source, 0, 1, 1);
  fill(source, 17 * kMib, 1, 1);
  open(source);
  DiskMap wrong = point_.disks.at(0).map;
  wrong.size_bytes = 17 * kMib;
  disk_ = std::make_unique<PointDisk>(*repository_, *index_, wrong);
  EXPECT_EQ(code_of_read(0, 10), Code::corrupt);
}

TEST(ReadStreams, NameTheRestOfALongReadAndWhatFollowsAStream) {
  ReadStreams streams(8);
  EXPECT_TRUE(streams.note({100, 101}).empty());
  EXPECT_EQ(streams.note({0, 4}), (ChunkSpan{1, 4}));
  EXPECT_EQ(streams.note({4, 5}), (ChunkSpan{5, 13}));
  EXPECT_EQ(streams.note({5, 6}), (ChunkSpan{13, 14}));
  EXPECT_EQ(streams.note({101, 102}), (ChunkSpan{102, 110}));
}

TEST(ReadStreams, SmallReadsOfOneChunkAreNone) {
  ReadStreams streams(8);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(streams.note({7, 8}).empty());
  EXPECT_FALSE(streams.note({7, 9}).empty());
}

TEST(ReadStreams, GoOnWhereRequestsOvertakeOneAnother) {
  ReadStreams streams(8);
  streams.note({10, 11});
  EXPECT_EQ(streams.note({12, 13}), (ChunkSpan{13, 21}));
  EXPECT_TRUE(streams.note({11, 12}).empty());
  EXPECT_EQ(streams.note({13, 14}), (ChunkSpan{21, 22}));
}

TEST(ReadStreams, ReadsAllOverTheDiskNeverBecomeOne) {
  ReadStreams streams(8);
  for (std::uint64_t at = 0; at < 1000; at += 17) EXPECT_TRUE(streams.note({at, at + 1}).empty());
}

}  // namespace
}  // namespace muster::backup
