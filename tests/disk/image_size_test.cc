// Sizes of images: what is asked for, what is refused, and what is left of the bytes.
#include "disk/image_size.h"

#include <filesystem>

#include "disk/open_image.h"
#include "tests/disk/support.h"

namespace muster::disk {
namespace {

using base::Code;
using From = SizeWish::From;

TEST(SizeWish, AreWrittenAsASizeOrWhatIsAddedOrTaken) {
  EXPECT_EQ(parse_size_wish("20G"), (SizeWish{From::nothing, 20 * GiB}));
  EXPECT_EQ(parse_size_wish("+512"), (SizeWish{From::grown, 512}));
  EXPECT_EQ(parse_size_wish("-1M"), (SizeWish{From::shrunk, MiB}));
  for (const char* text : {"", "+", "-", "--1G", "+-1G", "many", "1X"})
    expect_error(Code::usage, "", [&] { parse_size_wish(text); });
}

TEST(SizeWish, AreRoundedUpToSectorsAndLeaveADisk) {
  EXPECT_EQ(wished_size({From::nothing, 1000}, 5), 1024U);
  EXPECT_EQ(wished_size({From::grown, 1}, 1024), 1536U);
  EXPECT_EQ(wished_size({From::shrunk, 1}, 1024), 1024U);
  EXPECT_EQ(wished_size({From::shrunk, 1023}, 1024), 512U);
  expect_error(Code::usage, "leave nothing", [] { wished_size({From::shrunk, 1024}, 1024); });
  expect_error(Code::usage, "some size", [] { wished_size({From::nothing, 0}, 1024); });
  for (const std::uint64_t huge : {std::uint64_t{1} << 63U, ~std::uint64_t{0}})
    for (const auto from : {From::nothing, From::grown})
      expect_error(Code::usage, "no image", [&] { wished_size({from, huge}, 1024); });
  expect_error(Code::usage, "no image", [] { wished_size({From::grown, (std::uint64_t{1} << 63U) - 1024}, 1024); });
}

struct ImageSize : DiskTest {
  std::string image(const std::string& name, const std::string& size, const std::vector<std::string>& more = {}) {
    const std::string format = name.ends_with(".qcow2") ? "qcow2" : "raw";
    std::vector<std::string> argv{"qemu-img", "create", "-q", "-f", format};
    argv.insert(argv.end(), more.begin(), more.end());
    argv.insert(argv.end(), {dir / name, size});
    run_well(argv);
    return dir / name;
  }
  void put(const std::string& path, std::uint64_t offset, std::size_t count) {
    const auto disk = open_image_writer(ctx, path);
    disk->write(ctx, offset, pattern(offset, count));
    disk->flush(ctx);
  }
  std::uint64_t size_of(const std::string& path) { return open_image(ctx, path)->size_bytes(); }
  SizeChange plan(const std::string& path, const std::string& size, bool may_shrink = false) {
    return plan_size(ctx, path, image_format_of(path, std::nullopt), parse_size_wish(size), may_shrink);
  }
  void resize(const std::string& path, const std::string& size, bool may_shrink = false) {
    change_size(ctx, path, image_format_of(path, std::nullopt), plan(path, size, may_shrink));
  }
  void expect_refused(const std::string& path, const std::string& size, bool may_shrink, const std::string& words) {
    const auto before = size_of(path);
    expect_error(Code::refused, words, [&] { plan(path, size, may_shrink); });
    EXPECT_EQ(size_of(path), before);
  }
};

TEST_F(ImageSize, GrowsWithZeroesAndKeepsWhatIsThere) {
  MUSTER_NEEDS("qemu-img");
  for (const char* name : {"a.raw", "a.qcow2"}) {
    const std::string path = image(name, "1M");
    put(path, 1000, 5000);
    resize(path, "+1M");
    EXPECT_EQ(size_of(path), 2 * MiB);
    const auto disk = open_image(ctx, path);
    EXPECT_EQ(read_at(ctx, *disk, {1000, 5000}), pattern(1000, 5000));
    EXPECT_EQ(read_at(ctx, *disk, {MiB, MiB}), zeroes(MiB));
  }
}

TEST_F(ImageSize, APlanChangesNothingAndTheSameSizeIsNoChange) {
  MUSTER_NEEDS("qemu-img");
  const std::string path = image("a.qcow2", "1M");
  const SizeChange change = plan(path, "3M");
  EXPECT_TRUE(change.changes() && !change.shrinks());
  EXPECT_EQ(change.from_bytes, MiB);
  EXPECT_EQ(change.to_bytes, 3 * MiB);
  EXPECT_EQ(size_of(path), MiB);
  EXPECT_FALSE(plan(path, "1M").changes());
}

TEST_F(ImageSize, ShrinksOnlyWhenTold) {
  MUSTER_NEEDS("qemu-img");
  for (const char* name : {"a.raw", "a.qcow2"}) {
    const std::string path = image(name, "2M");
    expect_refused(path, "1M", false, "--shrink");
    resize(path, "1M", true);
    EXPECT_EQ(size_of(path), MiB);
  }
}

TEST_F(ImageSize, NeverCutsOffAByteThatIsNotZero) {
  MUSTER_NEEDS("qemu-img");
  for (const char* name : {"a.raw", "a.qcow2"}) {
    const std::string path = image(name, "8M");
    put(path, 3 * MiB + 77, 1);
    expect_refused(path, "3M", true, "data at byte 3145805");
    expect_refused(path, "-5M", true, "shrink what is inside first");
    resize(path, "-4M", true);
    EXPECT_EQ(size_of(path), 4 * MiB);
    EXPECT_EQ(read_at(ctx, *open_image(ctx, path), {3 * MiB + 77, 1}), pattern(3 * MiB + 77, 1));
  }
}

// Written once, and zero now: what the file system or qcow2's tables call data.
TEST_F(ImageSize, ZeroesThatTakeRoomAreEmpty) {
  MUSTER_NEEDS("qemu-img");
  const std::string path = image("a.raw", "4M");
  write_into(path, 3 * MiB, zeroes(MiB));
  resize(path, "1M", true);
  EXPECT_EQ(size_of(path), MiB);
}

TEST_F(ImageSize, TheSecondTableOfAGptIsSaidToBeOne) {
  MUSTER_NEEDS("qemu-img");
  const std::string path = image("a.raw", "4M");
  write_into(path, 4 * MiB - 512, base::as_bytes("EFI PART"));
  expect_refused(path, "2M", true, "is a GPT");
}

TEST_F(ImageSize, WhatIsBelowDoesNotComeBack) {
  MUSTER_NEEDS("qemu-img");
  const std::string below = image("below.qcow2", "4M");
  put(below, 3 * MiB, 512);
  const std::string path = image("a.qcow2", "4M", {"-b", below, "-F", "qcow2"});
  { open_image_writer(ctx, path)->write_zeroes(ctx, {2 * MiB, 2 * MiB}); }
  expect_refused(path, "2M", true, "show through");
  resize(path, "8M");
  EXPECT_EQ(size_of(path), 8 * MiB);
  EXPECT_EQ(read_at(ctx, *open_image(ctx, path), {2 * MiB, 6 * MiB}), zeroes(6 * MiB));
}

TEST_F(ImageSize, SnapshotsInsideKeepTheSizeThatTheyNeed) {
  MUSTER_NEEDS("qemu-img");
  const std::string path = image("a.qcow2", "4M");
  run_well({"qemu-img", "snapshot", "-c", "before", path});
  expect_refused(path, "2M", true, "snapshots");
  resize(path, "8M");
  EXPECT_EQ(size_of(path), 8 * MiB);
}

TEST_F(ImageSize, ClaimedOnesStayAsTheyAre) {
  MUSTER_NEEDS("qemu-img");
  const std::string path = image("a.qcow2", "1M");
  write_file(path + ".muster-claim", base::as_bytes(R"({"holder":"the master 'web'"})"));
  expect_refused(path, "2M", false, "belongs to the master 'web'");
}

TEST_F(ImageSize, LinksToClaimedOnesDoNotHelp) {
  MUSTER_NEEDS("qemu-img");
  const std::string path = image("a.qcow2", "1M");
  write_file(path + ".muster-claim", base::as_bytes(R"({"holder":"the master 'web'"})"));
  std::filesystem::create_symlink(path, dir / "link.qcow2");
  expect_refused(dir / "link.qcow2", "2M", false, "belongs to the master 'web'");
}

// What was written beyond the new end would be forgotten by them, and missing once the image has its size again.
TEST_F(ImageSize, RecordsOfChangesGoBeforeItShrinks) {
  MUSTER_NEEDS("qemu-img");
  const std::string path = image("a.qcow2", "4M");
  run_well({"qemu-img", "bitmap", "--add", path, "first"});
  run_well({"qemu-img", "bitmap", "--add", path, "second"});
  resize(path, "8M");
  EXPECT_EQ(image_facts(ctx, path, ImageFormat::qcow2).bitmaps.size(), 2U);
  resize(path, "2M", true);
  EXPECT_TRUE(image_facts(ctx, path, ImageFormat::qcow2).bitmaps.empty());
}

TEST_F(ImageSize, AStopIsHeardBeforeAndNotWhileItChanges) {
  MUSTER_NEEDS("qemu-img");
  const std::string path = image("a.qcow2", "4M");
  const SizeChange change = plan(path, "8M");
  source.request_stop();
  expect_error(Code::cancelled, "", [&] { change_size(ctx, path, ImageFormat::qcow2, change); });
}

TEST_F(ImageSize, OnesThatAreInUseStayAsTheyAre) {
  MUSTER_NEEDS("qemu-img");
  for (const char* name : {"a.raw", "a.qcow2"}) {
    const std::string path = image(name, "1M");
    const auto user = open_image_writer(ctx, path);
    expect_error(Code::busy, "", [&] { plan(path, "2M"); });
  }
}

TEST_F(ImageSize, DataInAFileOfTheirOwnAreLeftAlone) {
  MUSTER_NEEDS("qemu-img");
  const std::string path = image("a.qcow2", "1M", {"-o", "data_file=" + (dir / "data.raw")});
  expect_error(Code::unsupported, "file of their own", [&] { plan(path, "2M"); });
}

}  // namespace
}  // namespace muster::disk
