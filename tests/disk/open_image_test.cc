#include "disk/open_image.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include <sys/stat.h>

#include "tests/disk/support.h"

namespace muster::disk {
namespace {

using base::Code;

struct OpenImage : DiskTest {
  void SetUp() override {
    MUSTER_NEEDS("qemu-img");
    MUSTER_NEEDS("qemu-nbd");
  }
  // A raw file as a qcow2 image.
  void convert(const std::string& from, const std::string& to, const std::string& options) {
    run_well({"qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", options, from, to});
  }

  const std::string raw = dir / "a.raw", qcow2 = dir / "a.qcow2";
};

TEST_F(OpenImage, ARawImageIsReadAsItIs) {
  make_sparse(raw, 4 * MiB + 3, {{1 * MiB, 10}});
  const auto disk = open_image(ctx, raw);
  EXPECT_EQ(disk->size_bytes(), 4 * MiB + 3);
  EXPECT_EQ(read_at(ctx, *disk, {1 * MiB, 10}), pattern(1 * MiB, 10));
}

TEST_F(OpenImage, ARawDiskThatBeginsAsQcow2IsReadAsItIs) {
  create_image(ctx, qcow2, ImageFormat::qcow2, 64 * MiB)->flush(ctx);
  std::filesystem::rename(qcow2, raw);
  const auto disk = open_image(ctx, raw);
  EXPECT_EQ(disk->size_bytes(), std::filesystem::file_size(raw));
  EXPECT_EQ(base::as_text(read_at(ctx, *disk, {0, 4})), "QFI\xfb");
}

TEST_F(OpenImage, AQcow2ImageIsReadWithItsHoles) {
  make_sparse(raw, 64 * MiB, {{0, 1 * MiB}, {32 * MiB, 1 * MiB}, {64 * MiB - 64 * KiB, 64 * KiB}});
  convert(raw, qcow2, "cluster_size=64k");
  const auto disk = open_image(ctx, qcow2);
  EXPECT_EQ(disk->data_ranges(ctx, {0, 64 * MiB}),
            (std::vector<ByteRange>{{0, 1 * MiB}, {32 * MiB, 1 * MiB}, {64 * MiB - 64 * KiB, 64 * KiB}}));
  EXPECT_TRUE(read_sparsely(ctx, *disk) == read_at(ctx, *open_image(ctx, raw), {0, 64 * MiB}));
}

TEST_F(OpenImage, SmallClustersAndAnOddNumberOfSectorsAreNoMatter) {
  make_sparse(raw, 8 * MiB + 512, {{4 * KiB, 4 * KiB}, {1 * MiB, 4 * KiB}, {8 * MiB, 512}});
  convert(raw, qcow2, "cluster_size=4k");
  const auto disk = open_image(ctx, qcow2);
  EXPECT_EQ(disk->size_bytes(), 8 * MiB + 512);
  EXPECT_EQ(disk->data_ranges(ctx, {0, 8 * MiB + 512}),
            (std::vector<ByteRange>{{4 * KiB, 4 * KiB}, {1 * MiB, 4 * KiB}, {8 * MiB, 512}}));
  EXPECT_TRUE(read_sparsely(ctx, *disk) == read_at(ctx, *open_image(ctx, raw), {0, 8 * MiB + 512}));
}

TEST_F(OpenImage, CompressedClustersAreRead) {
  make_sparse(raw, 4 * MiB, {{0, 4 * MiB}});
  run_well({"qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, qcow2});
  EXPECT_TRUE(read_sparsely(ctx, *open_image(ctx, qcow2)) == pattern(0, 4 * MiB));
}

TEST_F(OpenImage, WhatIsInABackingFileIsReadThrough) {
  make_sparse(dir / "base.raw", 4 * MiB, {{0, 1 * MiB}, {2 * MiB, 1 * MiB}});
  run_well({"qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", qcow2, "8M"});
  {
    const auto overlay = open_image_writer(ctx, qcow2);
    overlay->write(ctx, 512 * KiB, zeroes(64 * KiB));
    overlay->write_zeroes(ctx, {2 * MiB, 512 * KiB});
    overlay->write(ctx, 6 * MiB, pattern(6 * MiB, 64 * KiB));
    overlay->flush(ctx);
  }
  const auto disk = open_image(ctx, qcow2);
  EXPECT_EQ(disk->data_ranges(ctx, {0, 8 * MiB}),
            (std::vector<ByteRange>{{0, 1 * MiB}, {2 * MiB + 512 * KiB, 512 * KiB}, {6 * MiB, 64 * KiB}}));
  auto expected = joined({pattern(0, 512 * KiB), zeroes(64 * KiB), pattern(576 * KiB, 448 * KiB), zeroes(1536 * KiB),
                          pattern(2560 * KiB, 512 * KiB), zeroes(3 * MiB), pattern(6 * MiB, 64 * KiB)});
  expected.resize(8 * MiB);
  EXPECT_TRUE(read_sparsely(ctx, *disk) == expected);
}

TEST_F(OpenImage, ThreadsReadAQcow2ImageAtOnce) {
  make_sparse(raw, 16 * MiB, {{0, 16 * MiB}});
  convert(raw, qcow2, "cluster_size=64k");
  const auto disk = open_image(ctx, qcow2);
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t at = t * 4099; at + 64 * KiB < 16 * MiB; at += 499 * KiB)
        EXPECT_TRUE(read_at(ctx, *disk, {at, 64 * KiB}) == pattern(at, 64 * KiB));
    });
}

TEST_F(OpenImage, AnNbdServerIsADiskWithoutAFormat) {
  make_sparse(raw, 1 * MiB, {{0, 1 * MiB}});
  const auto server = Server::qemu_nbd(dir, {"-f", "raw", raw});
  EXPECT_EQ(read_at(ctx, *open_image(ctx, server.uri()), {0, 9}), pattern(0, 9));
  open_image_writer(ctx, server.uri(), ImageFormat::raw)->write(ctx, 0, zeroes(9));
  EXPECT_EQ(read_at(ctx, *open_image(ctx, server.uri()), {0, 9}), zeroes(9));
  expect_error(Code::usage, "leave its format out", [&] { open_image(ctx, server.uri(), ImageFormat::qcow2); });
  expect_error(Code::usage, "leave its format out", [&] { open_image_writer(ctx, server.uri(), ImageFormat::qcow2); });
}

TEST_F(OpenImage, WhatIsNotThereIsNotFound) {
  for (const char* name : {"nothing", "nothing.qcow2", "http://127.0.0.1/disk"}) {
    expect_error(Code::not_found, name, [&] { open_image(ctx, dir / name); });
    expect_error(Code::not_found, name, [&] { open_image_writer(ctx, dir / name, ImageFormat::qcow2); });
  }
}

// Makes an image of the format, writes, zeroes and reads back; QEMU has to find the same in it.
class RoundTrip : public OpenImage, public testing::WithParamInterface<ImageFormat> {};

TEST_P(RoundTrip, WhatIsWrittenIsWhatQemuFinds) {
  const ImageFormat format = GetParam();
  const std::string image = dir / (std::string("made.") + name_of(format));
  const std::uint64_t size = 64 * MiB + 512;
  create_image(ctx, image, format, size)->flush(ctx);
  {
    const auto disk = open_image_writer(ctx, image);
    disk->write(ctx, 1 * MiB + 1, pattern(1 * MiB + 1, 5 * MiB));
    disk->write(ctx, 64 * MiB, pattern(64 * MiB, 512));
    disk->write_zeroes(ctx, {3 * MiB, 1 * MiB + 100});
    disk->write_zeroes(ctx, {20 * MiB, 20 * MiB});
    disk->flush(ctx);
    EXPECT_EQ(read_at(ctx, *disk, {3 * MiB - 2, 4}), joined({pattern(3 * MiB - 2, 2), zeroes(2)}));
  }
  make_sparse(raw, size, {{1 * MiB + 1, 2 * MiB - 1}, {4 * MiB + 100, 2 * MiB - 99}, {64 * MiB, 512}});
  run_well({"qemu-img", "compare", "-f", name_of(format), "-F", "raw", image, raw});
  EXPECT_TRUE(read_sparsely(ctx, *open_image(ctx, image)) == read_at(ctx, *open_image(ctx, raw), {0, size}));
  EXPECT_LT(allocated(image), 7 * MiB);
}

TEST_P(RoundTrip, WhatIsFlushedIsThereWhenTheWriterIsKilled) {
  const ImageFormat format = GetParam();
  const std::string image = dir / (std::string("made.") + name_of(format));
  create_image(ctx, image, format, 8 * MiB)->flush(ctx);
  const auto disk = open_image_writer(ctx, image);
  disk->write(ctx, 1 * MiB, pattern(1 * MiB, 3 * MiB));
  disk->flush(ctx);
  const std::string copy = dir / (std::string("copy.") + name_of(format));
  std::filesystem::copy_file(image, copy);  // as a crash leaves it
  EXPECT_EQ(read_at(ctx, *open_image(ctx, copy), {1 * MiB, 3 * MiB}), pattern(1 * MiB, 3 * MiB));
}

TEST_P(RoundTrip, ThreadsWriteAtOnce) {
  const ImageFormat format = GetParam();
  const std::string image = dir / (std::string("made.") + name_of(format));
  create_image(ctx, image, format, 16 * MiB)->flush(ctx);
  const auto disk = open_image_writer(ctx, image);
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        for (std::uint64_t at = t * 100'003; at < 16 * MiB; at += 8 * 100'003)
          disk->write(ctx, at, pattern(at, std::min<std::uint64_t>(100'003, 16 * MiB - at)));
      });
  }
  EXPECT_TRUE(read_at(ctx, *disk, {0, 16 * MiB}) == pattern(0, 16 * MiB));
}

TEST_P(RoundTrip, AnImageThatIsThereIsNeverMadeAgain) {
  const std::string image = dir / "made";
  write_file(image, base::as_bytes("mine"));
  expect_error(Code::refused, image + " exists", [&] { create_image(ctx, image, GetParam(), 1 * MiB); });
  EXPECT_EQ(base::read_file(image, 100), "mine");
}

TEST_P(RoundTrip, WhatCannotBeMadeLeavesNothing) {
  thrown_by([&] { create_image(ctx, dir / "made", GetParam(), (1ULL << 63) - 512); });
  thrown_by([&] { create_image(ctx, dir / "made", GetParam(), 1ULL << 63); });
  EXPECT_FALSE(std::filesystem::exists(dir / "made"));
  expect_error(Code::not_found, "nowhere", [&] { create_image(ctx, dir / "nowhere/made", GetParam(), 1 * MiB); });
}

INSTANTIATE_TEST_SUITE_P(Formats, RoundTrip, testing::Values(ImageFormat::raw, ImageFormat::qcow2),
                         [](const auto& test) { return std::string(name_of(test.param)); });

TEST_F(OpenImage, ANewQcow2ImageIsPrivateAndOfWholeSectors) {
  create_image(ctx, qcow2, ImageFormat::qcow2, 1 * MiB + 1)->flush(ctx);
  struct stat seen {};
  ASSERT_EQ(::stat(qcow2.c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0777, 0600U);
  EXPECT_EQ(open_image(ctx, qcow2)->size_bytes(), 1 * MiB + 512);
  const std::string told = run_well({"qemu-img", "info", qcow2});
  EXPECT_NE(told.find("compat: 1.1"), std::string::npos) << told;
  EXPECT_NE(told.find("lazy refcounts: false"), std::string::npos) << told;
}

TEST_F(OpenImage, AStopEndsMakingAnImageAndLeavesNothing) {
  source.request_stop();
  expect_error(Code::cancelled, "interrupted", [&] { create_image(ctx, qcow2, ImageFormat::qcow2, 1 * MiB); });
  EXPECT_FALSE(std::filesystem::exists(qcow2));
}

}  // namespace
}  // namespace muster::disk
