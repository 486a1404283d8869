#include "disk/raw_disk.h"

#include <filesystem>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include "tests/disk/support.h"

namespace muster::disk {
namespace {

using base::Code;

struct RawDisk : DiskTest {
  const std::string path = dir / "disk.raw";
};

struct Layout {
  const char* name;
  std::uint64_t size_bytes;
  std::vector<ByteRange> data;
};

class RawLayouts : public RawDisk, public testing::WithParamInterface<Layout> {};

TEST_P(RawLayouts, DataAndHolesAreToldAndRead) {
  const auto& layout = GetParam();
  make_sparse(path, layout.size_bytes, layout.data);
  base::Bytes expected(layout.size_bytes);
  for (const auto& range : layout.data) {
    const auto bytes = pattern(range.offset, range.length);
    std::copy(bytes.begin(), bytes.end(), expected.begin() + static_cast<std::ptrdiff_t>(range.offset));
  }
  const auto disk = open_raw(path);
  EXPECT_EQ(disk->size_bytes(), layout.size_bytes);
  EXPECT_TRUE(read_at(ctx, *disk, {0, layout.size_bytes}) == expected);
  EXPECT_TRUE(read_sparsely(ctx, *disk) == expected);
}

TEST_P(RawLayouts, WhatIsBetweenDataIsNotTold) {
  const auto& layout = GetParam();
  make_sparse(path, layout.size_bytes, layout.data);
  const auto found = open_raw(path)->data_ranges(ctx, {0, layout.size_bytes});
  std::uint64_t told = 0, there = 0;
  for (const auto& range : found) told += range.length;
  for (const auto& range : layout.data) there += range.length;
  EXPECT_GE(told, there);
  EXPECT_LE(told, there + found.size() * 2 * 64 * KiB) << "file systems have blocks of up to 64 KiB";
}

INSTANTIATE_TEST_SUITE_P(
    Edges, RawLayouts,
    testing::Values(Layout{"Empty", 0, {}}, Layout{"OneByte", 1, {{0, 1}}}, Layout{"NothingButHole", 4 * MiB, {}},
                    Layout{"NoHole", 1 * MiB, {{0, 1 * MiB}}}, Layout{"HoleFirst", 4 * MiB, {{1 * MiB, 3 * MiB}}},
                    Layout{"HoleLast", 4 * MiB, {{0, 1 * MiB}}},
                    Layout{"HoleInTheMiddle", 4 * MiB, {{0, 1 * MiB}, {3 * MiB, 1 * MiB}}},
                    Layout{"HolesAtBothEnds", 4 * MiB, {{1 * MiB, 1 * MiB}}},
                    Layout{"ManyHoles", 8 * MiB, {{1 * MiB, 4 * KiB}, {3 * MiB, 4 * KiB}, {5 * MiB + 1, 5}}},
                    Layout{"NotOfWholeSectors", 3 * MiB + 77, {{1 * MiB + 3, 1001}, {3 * MiB, 77}}},
                    Layout{"OddSizeWithAHoleLast", 1 * MiB + 511, {{0, 10}}}),
    [](const auto& test) { return test.param.name; });

TEST_F(RawDisk, ASparseDiskOfTwoTebibytesIsToldAtOnce) {
  make_sparse(path, 2 * TiB, {{0, 4 * KiB}, {1 * TiB, 4 * KiB}, {2 * TiB - 4 * KiB, 4 * KiB}});
  const auto disk = open_raw(path);
  EXPECT_EQ(disk->size_bytes(), 2 * TiB);
  EXPECT_EQ(disk->data_ranges(ctx, {0, 2 * TiB}).size(), 3U);
  EXPECT_EQ(read_at(ctx, *disk, {2 * TiB - 100, 100}), pattern(2 * TiB - 100, 100));
  EXPECT_EQ(read_at(ctx, *disk, {1 * TiB - 10, 20}), joined({zeroes(10), pattern(1 * TiB, 10)}));
}

TEST_F(RawDisk, DataRangesStayWithinWhatWasAskedFor) {
  make_sparse(path, 8 * MiB, {{0, 8 * MiB}});
  EXPECT_EQ(open_raw(path)->data_ranges(ctx, {1 * MiB + 1, 7}), (std::vector<ByteRange>{{1 * MiB + 1, 7}}));
  EXPECT_TRUE(open_raw(path)->data_ranges(ctx, {8 * MiB, 0}).empty());
}

TEST_F(RawDisk, ThreadsReadAtOnce) {
  make_sparse(path, 16 * MiB, {{0, 16 * MiB}});
  const auto disk = open_raw(path);
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t at = t * 4099; at + 8 * KiB < 16 * MiB; at += 499 * KiB)
        EXPECT_EQ(read_at(ctx, *disk, {at, 8 * KiB}), pattern(at, 8 * KiB));
      EXPECT_EQ(disk->data_ranges(ctx, {t * MiB, 2 * MiB}), (std::vector<ByteRange>{{t * MiB, 2 * MiB}}));
    });
}

TEST_F(RawDisk, AFileThatShrinksIsAnErrorThatNamesIt) {
  make_sparse(path, 4 * MiB, {{0, 4 * MiB}});
  const auto disk = open_raw(path);
  std::filesystem::resize_file(path, 1 * MiB);
  EXPECT_EQ(read_at(ctx, *disk, {0, 1 * MiB}), pattern(0, 1 * MiB));
  expect_error(Code::io, path + " shrank from 4194304 to 1048576 bytes", [&] {
    read_at(ctx, *disk, {512 * KiB, 1 * MiB});
  });
  expect_error(Code::io, path + " shrank", [&] { disk->data_ranges(ctx, {0, 4 * MiB}); });
}

TEST_F(RawDisk, AFileThatGrowsKeepsTheSizeItWasOpenedWith) {
  make_sparse(path, 1 * MiB, {{0, 1 * MiB}});
  const auto disk = open_raw(path);
  std::filesystem::resize_file(path, 2 * MiB);
  EXPECT_EQ(disk->size_bytes(), 1 * MiB);
  expect_error(Code::io, "beyond its end", [&] { read_at(ctx, *disk, {1 * MiB, 1}); });
}

TEST_F(RawDisk, AMissingFileIsNotFound) {
  expect_error(Code::not_found, path, [&] { open_raw(path); });
  expect_error(Code::not_found, path, [&] { open_raw_writer(path); });
}

TEST_F(RawDisk, WhatIsNoDiskIsRefusedWithoutWaiting) {
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  for (const auto& name : {dir.path(), dir / "fifo", std::string("/dev/null")}) {
    expect_error(Code::usage, name, [&] { open_raw(name); });
    expect_error(Code::usage, name, [&] { open_raw_writer(name); });
  }
}

TEST_F(RawDisk, WhatMayNotBeReadIsAnErrorThatNamesIt) {
  make_sparse(path, 1 * MiB, {});
  ::chmod(path.c_str(), 0);
  ::chmod(dir.path().c_str(), 0755);
  const uid_t before = ::geteuid();
  ASSERT_EQ(::seteuid(before == 0 ? 65'534 : before), 0);  // root may read everything
  expect_error(Code::io, path + ": Permission denied", [&] { open_raw(path); });
  ASSERT_EQ(::seteuid(before), 0);
}

TEST_F(RawDisk, WhatIsWrittenIsReadBack) {
  create_raw(path, 8 * MiB + 5);
  const auto disk = open_raw_writer(path);
  disk->write(ctx, 3, pattern(3, 1 * MiB));
  disk->write(ctx, 8 * MiB, pattern(8 * MiB, 5));
  disk->flush(ctx);
  EXPECT_EQ(read_at(ctx, *disk, {0, 1 * MiB + 6}), joined({zeroes(3), pattern(3, 1 * MiB), zeroes(3)}));
  EXPECT_EQ(read_at(ctx, *disk, {8 * MiB, 5}), pattern(8 * MiB, 5));
  EXPECT_EQ(disk->size_bytes(), 8 * MiB + 5);
}

TEST_F(RawDisk, ZeroesReadBackAndGiveSpaceBack) {
  make_sparse(path, 8 * MiB, {{0, 8 * MiB}});
  const auto disk = open_raw_writer(path);
  disk->write_zeroes(ctx, {1 * MiB + 7, 6 * MiB});
  disk->flush(ctx);
  EXPECT_EQ(read_at(ctx, *disk, {1 * MiB, 10}), joined({pattern(1 * MiB, 7), zeroes(3)}));
  EXPECT_EQ(read_at(ctx, *disk, {7 * MiB, 10}), joined({zeroes(7), pattern(7 * MiB + 7, 3)}));
  EXPECT_EQ(read_at(ctx, *disk, {2 * MiB, 4 * MiB}), zeroes(4 * MiB));
  EXPECT_LT(allocated(path), 3 * MiB);
}

TEST_F(RawDisk, NothingIsWrittenBeyondTheEnd) {
  create_raw(path, 1000);
  const auto disk = open_raw_writer(path);
  expect_error(Code::io, "beyond its end", [&] { disk->write(ctx, 999, pattern(0, 2)); });
  expect_error(Code::io, "beyond its end", [&] { disk->write_zeroes(ctx, {1000, 1}); });
  EXPECT_EQ(std::filesystem::file_size(path), 1000U);
}

TEST_F(RawDisk, ANewDiskIsSparseAndPrivate) {
  create_raw(path, 3 * TiB + 1);
  struct stat seen {};
  ASSERT_EQ(::stat(path.c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0777, 0600U);
  EXPECT_EQ(static_cast<std::uint64_t>(seen.st_size), 3 * TiB + 1);
  EXPECT_EQ(allocated(path), 0U);
}

TEST_F(RawDisk, ANewDiskNeverTakesThePlaceOfAnother) {
  make_sparse(path, 10, {{0, 10}});
  expect_error(Code::refused, path + " exists", [&] { create_raw(path, 20); });
  std::filesystem::create_symlink("nowhere", dir / "link");
  expect_error(Code::refused, "exists", [&] { create_raw(dir / "link", 20); });
  EXPECT_EQ(std::filesystem::file_size(path), 10U);
}

TEST_F(RawDisk, ADiskThatCannotBeMadeLeavesNothing) {
  expect_error(Code::usage, path, [&] { create_raw(path, 1ULL << 63); });
  thrown_by([&] { create_raw(path, (1ULL << 63) - 1); });  // no file system has that
  EXPECT_FALSE(std::filesystem::exists(path));
  expect_error(Code::not_found, "nowhere", [&] { create_raw(dir / "nowhere/disk.raw", 1); });
}

TEST_F(RawDisk, AStopEndsReadingAndWriting) {
  make_sparse(path, 1 * MiB, {{0, 1 * MiB}});
  const auto disk = open_raw_writer(path);
  source.request_stop();
  expect_error(Code::cancelled, "interrupted", [&] { read_at(ctx, *disk, {0, 10}); });
  expect_error(Code::cancelled, "interrupted", [&] { disk->write(ctx, 0, pattern(0, 10)); });
  expect_error(Code::cancelled, "interrupted", [&] { disk->write_zeroes(ctx, {0, 10}); });
  expect_error(Code::cancelled, "interrupted", [&] { disk->data_ranges(ctx, {0, 10}); });
  expect_error(Code::cancelled, "interrupted", [&] { disk->flush(ctx); });
}

}  // namespace
}  // namespace muster::disk
