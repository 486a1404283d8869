#include "disk/qcow2_writer.h"

#include <algorithm>
#include <filesystem>
#include <random>
#include <thread>

#include "disk/image_file.h"
#include "disk/open_image.h"
#include "tests/disk/support.h"

namespace muster::disk {
namespace {

using base::Code;

struct Qcow2Writer : DiskTest {
  void SetUp() override { MUSTER_NEEDS("qemu-img"); }

  const std::string image = dir / "made.qcow2", raw = dir / "same.raw";

  void expect_whole() {
    const std::string told = run_well({"qemu-img", "check", "-f", "qcow2", image});
    EXPECT_NE(told.find("No errors were found"), std::string::npos) << told;
  }
  void expect_same_as_raw() { run_well({"qemu-img", "compare", "-f", "qcow2", "-F", "raw", image, raw}); }
};

// Small clusters: many L2 tables, and many blocks of counts.
TEST_F(Qcow2Writer, QemuFindsWhatManyThreadsWroteInAnyOrder) {
  constexpr std::uint64_t kSize = 96 * MiB + 512, kChunk = 64 * KiB;
  make_sparse(raw, kSize, {});
  std::vector<std::uint64_t> chunks;
  for (std::uint64_t at = 0; at < kSize; at += kChunk)
    if (at % (5 * kChunk) != 0 && (at < 40 * MiB || at > 60 * MiB)) chunks.push_back(at);
  std::shuffle(chunks.begin(), chunks.end(), std::mt19937(5));
  auto disk = create_qcow2_writer(ctx, image, kSize, 4 * KiB);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (std::size_t i = t; i < chunks.size(); i += 4)
          disk->write(ctx, chunks[i], pattern(chunks[i], std::min(kChunk, kSize - chunks[i])));
      });
  }
  for (const std::uint64_t at : chunks) write_into(raw, at, pattern(at, std::min(kChunk, kSize - at)));
  disk->flush(ctx);
  EXPECT_TRUE(read_sparsely(ctx, *disk) == read_at(ctx, *open_image(ctx, raw), {0, kSize}));
  EXPECT_TRUE(read_at(ctx, *disk, {1 * MiB + 7, 3 * MiB}) ==
              read_at(ctx, *open_image(ctx, raw), {1 * MiB + 7, 3 * MiB}));
  disk.reset();
  expect_whole();
  expect_same_as_raw();
}

TEST_F(Qcow2Writer, WrittenAgainAndZeroedItStaysWhole) {
  make_sparse(raw, 8 * MiB, {{1 * MiB, 256 * KiB}, {4 * MiB, 64 * KiB}});
  {
    const auto disk = create_qcow2_writer(ctx, image, 8 * MiB);
    disk->write(ctx, 1 * MiB, base::Bytes(128 * KiB, std::byte{7}));
    disk->write(ctx, 2 * MiB, pattern(0, 64 * KiB));
    disk->flush(ctx);
    disk->write(ctx, 1 * MiB, pattern(1 * MiB, 256 * KiB));
    disk->write(ctx, 4 * MiB, pattern(4 * MiB, 64 * KiB));
    disk->write_zeroes(ctx, {2 * MiB, 1 * MiB});
    disk->flush(ctx);
  }
  expect_whole();
  expect_same_as_raw();
}

TEST_F(Qcow2Writer, ALargeDiskTakesWhatIsWrittenOfIt) {
  auto disk = create_qcow2_writer(ctx, image, 1024 * TiB);
  disk->write(ctx, 1024 * TiB - 64 * KiB, pattern(0, 64 * KiB));
  disk->flush(ctx);
  EXPECT_LT(allocated(image), 1 * MiB);
  EXPECT_EQ(disk->data_ranges(ctx, {0, 1024 * TiB}), (std::vector<ByteRange>{{1024 * TiB - 64 * KiB, 64 * KiB}}));
  disk.reset();
  expect_whole();
}

// As a kill leaves it at any moment: all that was written is there, and whoever opens it next may write.
TEST_F(Qcow2Writer, OneThatWasKilledIsAnImage) {
  MUSTER_NEEDS("qemu-nbd");
  make_sparse(raw, 8 * MiB, {{1 * MiB, 1 * MiB}, {5 * MiB, 256 * KiB}});
  const std::string left = dir / "left.qcow2";
  {
    const auto disk = create_qcow2_writer(ctx, left, 8 * MiB, 512);
    for (std::uint64_t at = 1 * MiB; at < 2 * MiB; at += 64 * KiB) {
      disk->write(ctx, at, pattern(at, 64 * KiB));
      std::filesystem::remove(image);
      std::filesystem::copy_file(left, image);
      constexpr int kWhole = 0, kLeaks = 3;  // 2 is damage
      const auto checked = run({"qemu-img", "check", "-f", "qcow2", image});
      EXPECT_TRUE(checked.code == kWhole || checked.code == kLeaks) << checked.out << checked.err;
    }
  }
  {
    const auto again = open_image_writer(ctx, image);
    EXPECT_EQ(read_at(ctx, *again, {1 * MiB, 1 * MiB}), pattern(1 * MiB, 1 * MiB));
    again->write(ctx, 5 * MiB, pattern(5 * MiB, 256 * KiB));
    again->flush(ctx);
  }
  drop_leaks(ctx, image);
  expect_whole();
  expect_same_as_raw();
}

// The places of the last clusters are beyond its end, as after a loss of power.
TEST_F(Qcow2Writer, OneThatLostItsEndIsAnImage) {
  MUSTER_NEEDS("qemu-nbd");
  make_sparse(raw, 8 * MiB, {{1 * MiB, 3 * MiB}});
  const std::string left = dir / "left.qcow2";
  const auto disk = create_qcow2_writer(ctx, left, 8 * MiB, 4 * KiB);
  for (std::uint64_t at = 1 * MiB; at < 4 * MiB; at += 64 * KiB) disk->write(ctx, at, pattern(at, 64 * KiB));
  std::filesystem::copy_file(left, image);
  std::filesystem::resize_file(image, std::filesystem::file_size(image) - 1 * MiB);
  {
    const auto again = open_image_writer(ctx, image);
    again->write(ctx, 5 * MiB, pattern(5 * MiB, 256 * KiB));
    again->write_zeroes(ctx, {5 * MiB, 256 * KiB});
    for (std::uint64_t at = 1 * MiB; at < 4 * MiB; at += 64 * KiB) again->write(ctx, at, pattern(at, 64 * KiB));
    again->flush(ctx);
  }
  drop_leaks(ctx, image);
  expect_whole();
  expect_same_as_raw();
}

TEST_F(Qcow2Writer, NobodyOpensItMeanwhile) {
  const auto disk = create_qcow2_writer(ctx, image, 8 * MiB);
  expect_error(Code::busy, image, [&] { open_image_writer(ctx, image); });
  EXPECT_NE(run({"qemu-img", "resize", image, "9M"}).code, 0);
}

TEST_F(Qcow2Writer, WhatKeepsToNoClustersIsRefused) {
  const auto disk = create_qcow2_writer(ctx, image, 1 * MiB + 512);
  expect_error(Code::usage, "no whole clusters", [&] { disk->write(ctx, 512, zeroes(64 * KiB)); });
  expect_error(Code::usage, "no whole clusters", [&] { disk->write(ctx, 896 * KiB, zeroes(64 * KiB + 1024)); });
  expect_error(Code::usage, "no whole clusters", [&] { disk->write(ctx, 0, zeroes(512)); });
  expect_error(Code::usage, "no whole clusters", [&] { disk->write_zeroes(ctx, {0, 512}); });
  expect_error(Code::io, image, [&] { disk->write(ctx, 1 * MiB, zeroes(64 * KiB)); });
  disk->write(ctx, 1 * MiB, zeroes(512));
}

TEST_F(Qcow2Writer, ADiskOfAnOddSizeIsWrittenToItsEnd) {
  constexpr std::uint64_t kSize = 1 * MiB + 1000;
  {
    const auto disk = create_qcow2_writer(ctx, image, kSize);
    EXPECT_EQ(disk->size_bytes(), 1 * MiB + 1024);
    disk->write(ctx, 1 * MiB, pattern(1 * MiB, 1000));
    disk->flush(ctx);
  }
  make_sparse(raw, 1 * MiB + 1024, {{1 * MiB, 1000}});
  expect_whole();
  expect_same_as_raw();
}

}  // namespace
}  // namespace muster::disk
