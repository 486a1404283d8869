// Raw disks on loop devices, and on file systems that are full or can do little: all need root.
#include <algorithm>
#include <filesystem>

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "disk/raw_disk.h"
#include "tests/disk/support.h"

namespace muster::disk {
namespace {

using base::Code;

// `file` as a block device.
class LoopDevice {
 public:
  LoopDevice(const std::string& file, const std::vector<std::string>& options) {
    std::vector<std::string> argv{"losetup", "--find", "--show"};
    argv.insert(argv.end(), options.begin(), options.end());
    argv.push_back(file);
    const auto finished = run(argv);
    if (finished.code == 0) path_ = finished.out.substr(0, finished.out.find('\n'));
    why_ = finished.err;
  }
  LoopDevice(const LoopDevice&) = delete;
  LoopDevice& operator=(const LoopDevice&) = delete;
  ~LoopDevice() {
    if (!path_.empty()) run({"losetup", "--detach", path_});
  }
  const std::string& path() const { return path_; }
  const std::string& why_not() const { return why_; }

 private:
  std::string path_, why_;
};

class Mounted {
 public:
  Mounted(std::string path, const char* type, const char* options) : path_(std::move(path)) {
    std::filesystem::create_directory(path_);
    is_ = ::mount("muster-test", path_.c_str(), type, 0, options) == 0;
  }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;
  ~Mounted() {
    if (is_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  explicit operator bool() const { return is_; }

 private:
  std::string path_;
  bool is_ = false;
};

struct RawDevice : DiskTest {
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "loop devices and mounts need root";
  }
  const std::string file = dir / "behind.raw";
};

#define MUSTER_NEEDS_LOOP(loop) \
  if (loop.path().empty()) GTEST_SKIP() << "no loop device: " << loop.why_not()

TEST_F(RawDevice, ItsSizeIsTheDevicesAndAllOfItIsData) {
  make_sparse(file, 4 * MiB + 512, {{1 * MiB, 1 * MiB}});
  const LoopDevice loop(file, {});
  MUSTER_NEEDS_LOOP(loop);
  const auto disk = open_raw(loop.path());
  EXPECT_EQ(disk->size_bytes(), 4 * MiB + 512);
  EXPECT_EQ(disk->data_ranges(ctx, {0, 4 * MiB + 512}), (std::vector<ByteRange>{{0, 4 * MiB + 512}}));
  EXPECT_EQ(read_at(ctx, *disk, {1 * MiB - 3, 1000}), joined({zeroes(3), pattern(1 * MiB, 997)}));
}

TEST_F(RawDevice, WhatIsWrittenAndZeroedIsReadBack) {
  make_sparse(file, 8 * MiB, {{0, 8 * MiB}});
  const LoopDevice loop(file, {});
  MUSTER_NEEDS_LOOP(loop);
  const auto disk = open_raw_writer(loop.path());
  disk->write(ctx, 5, zeroes(1000));
  disk->write_zeroes(ctx, {2 * MiB + 1, 4 * MiB + 1000});
  disk->flush(ctx);
  auto expected = pattern(0, 8 * MiB);
  std::fill_n(expected.begin() + 5, 1000, std::byte{0});
  std::fill_n(expected.begin() + 2 * MiB + 1, 4 * MiB + 1000, std::byte{0});
  EXPECT_TRUE(read_at(ctx, *disk, {0, 8 * MiB}) == expected);
  EXPECT_TRUE(read_at(ctx, *open_raw(file), {0, 8 * MiB}) == expected);
}

TEST_F(RawDevice, SectorsOf4096BytesAreNoMatter) {
  make_sparse(file, 4 * MiB, {{0, 4 * MiB}});
  const LoopDevice loop(file, {"--sector-size", "4096"});
  MUSTER_NEEDS_LOOP(loop);
  const auto disk = open_raw_writer(loop.path());
  disk->write(ctx, 4095, zeroes(2));
  disk->write_zeroes(ctx, {8191, 8194});
  EXPECT_EQ(read_at(ctx, *disk, {4094, 4}), joined({pattern(4094, 1), zeroes(2), pattern(4097, 1)}));
  EXPECT_EQ(read_at(ctx, *disk, {8190, 8196}), joined({pattern(8190, 1), zeroes(8194), pattern(16385, 1)}));
}

TEST_F(RawDevice, AReadOnlyDeviceCannotBeOpenedForWriting) {
  make_sparse(file, 1 * MiB, {{0, 1 * MiB}});
  const LoopDevice loop(file, {"--read-only"});
  MUSTER_NEEDS_LOOP(loop);
  EXPECT_EQ(read_at(ctx, *open_raw(loop.path()), {0, 10}), pattern(0, 10));
  expect_error(Code::io, loop.path(), [&] { open_raw_writer(loop.path()); });
}

TEST_F(RawDevice, ADeviceThatTheSystemUsesIsBusyForWriting) {
  make_sparse(file, 1 * MiB, {});
  const LoopDevice loop(file, {});
  MUSTER_NEEDS_LOOP(loop);
  const base::UniqueFd claimed(::open(loop.path().c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));  // as a mount claims it
  expect_error(Code::busy, loop.path() + " is in use", [&] { open_raw_writer(loop.path()); });
  EXPECT_EQ(open_raw(loop.path())->size_bytes(), 1 * MiB);
}

TEST_F(RawDevice, AFullFileSystemIsNoSpace) {
  const Mounted mounted(dir / "small", "tmpfs", "size=1M");
  if (!mounted) GTEST_SKIP() << "no tmpfs can be mounted";
  create_raw(dir / "small/disk.raw", 4 * MiB);
  const auto disk = open_raw_writer(dir / "small/disk.raw");
  expect_error(Code::no_space, "small/disk.raw: write at byte", [&] { disk->write(ctx, 0, pattern(0, 2 * MiB)); });
}

TEST_F(RawDevice, AFileSystemWithoutHolesGetsZeroesWritten) {
  const Mounted mounted(dir / "plain", "ramfs", "");
  if (!mounted) GTEST_SKIP() << "no ramfs can be mounted";
  const std::string path = dir / "plain/disk.raw";
  make_sparse(path, 4 * MiB, {{0, 4 * MiB}});
  {
    const auto disk = open_raw_writer(path);
    disk->write_zeroes(ctx, {1, 3 * MiB});
    EXPECT_EQ(read_at(ctx, *disk, {0, 3 * MiB + 2}), joined({pattern(0, 1), zeroes(3 * MiB), pattern(3 * MiB + 1, 1)}));
  }
  EXPECT_EQ(open_raw(path)->data_ranges(ctx, {0, 4 * MiB}), (std::vector<ByteRange>{{0, 4 * MiB}}));
}

}  // namespace
}  // namespace muster::disk
