#include "disk/image_server.h"

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk/nbd_disk.h"
#include "disk/open_image.h"
#include "disk/raw_disk.h"
#include "tests/disk/support.h"

namespace muster::disk {
namespace {

using base::Code;
using namespace std::chrono_literals;

struct ImageServing : DiskTest {
  void SetUp() override {
    MUSTER_NEEDS("qemu-nbd");
    MUSTER_NEEDS("qemu-img");
    std::filesystem::create_directory(temporary);
  }
  std::size_t left_behind() {
    const auto entries = std::filesystem::directory_iterator(temporary);
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
  }
  static bool is_busy(const std::string& image) {
    try {
      open_raw_writer(image);
      return false;
    } catch (const base::Error& e) {
      return e.code() == Code::busy;
    }
  }
  ImageServerOptions options(ImageFormat format, Access access) {
    return {.format = format, .access = access, .temporary_directory = temporary};
  }

  const std::string temporary = dir / "tmp with spaces";
  const std::string raw = dir / "a.raw", qcow2 = dir / "a.qcow2";
};

TEST_F(ImageServing, ItServesWhatIsInTheImageAndLeavesNothing) {
  make_sparse(raw, 4 * MiB, {{0, 4 * MiB}});
  {
    const ImageServer server(ctx, raw, options(ImageFormat::raw, Access::read));
    const auto disk = open_nbd(ctx, server.uri());
    EXPECT_TRUE(read_at(ctx, *disk, {0, 4 * MiB}) == pattern(0, 4 * MiB));
    EXPECT_EQ(left_behind(), 1U);
  }
  EXPECT_EQ(left_behind(), 0U);
}

TEST_F(ImageServing, NobodyElseGetsAtItsSocket) {
  make_sparse(raw, 1 * MiB, {});
  const ImageServer server(ctx, raw, options(ImageFormat::raw, Access::read));
  struct stat seen {};
  const auto made = std::filesystem::directory_iterator(temporary)->path();
  ASSERT_EQ(::stat(made.c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0777, 0700U);
}

TEST_F(ImageServing, AReadOnlyServerTakesNoWrites) {
  make_sparse(raw, 1 * MiB, {});
  const ImageServer server(ctx, raw, options(ImageFormat::raw, Access::read));
  expect_error(Code::unsupported, "read-only", [&] { open_nbd_writer(ctx, server.uri()); });
}

TEST_F(ImageServing, SeveralReadAtOnceButNobodyBesideAWriter) {
  make_sparse(raw, 1 * MiB, {});
  {
    const ImageServer one(ctx, raw, options(ImageFormat::raw, Access::read));
    const ImageServer two(ctx, raw, options(ImageFormat::raw, Access::read));
  }
  const ImageServer writer(ctx, raw, options(ImageFormat::raw, Access::write));
  for (const auto access : {Access::read, Access::write})
    expect_error(Code::busy, raw, [&] { ImageServer(ctx, raw, options(ImageFormat::raw, access)); });
  EXPECT_EQ(left_behind(), 1U);
}

TEST_F(ImageServing, WhatQemuNbdSaidIsInTheError) {
  write_file(raw, base::as_bytes("no qcow2"));
  expect_error(Code::io, "not in qcow2 format",
               [&] { ImageServer(ctx, raw, options(ImageFormat::qcow2, Access::read)); });
  expect_error(Code::io, "No such file",
               [&] { ImageServer(ctx, dir / "nothing", options(ImageFormat::qcow2, Access::read)); });
  expect_error(Code::not_found, "nothing",
               [&] { ImageServer(ctx, dir / "nothing", options(ImageFormat::raw, Access::read)); });
  EXPECT_EQ(left_behind(), 0U);
}

TEST_F(ImageServing, ATemporaryDirectoryThatDoesNotFitIsAnError) {
  make_sparse(raw, 1 * MiB, {});
  auto wanted = options(ImageFormat::raw, Access::read);
  wanted.temporary_directory = dir / "nothing";
  expect_error(Code::not_found, "nothing", [&] { ImageServer(ctx, raw, wanted); });
  wanted.temporary_directory = dir / std::string(100, 'x');
  std::filesystem::create_directory(wanted.temporary_directory);
  expect_error(Code::usage, "too long", [&] { ImageServer(ctx, raw, wanted); });
}

// PATH has the shell and little else for as long as this lives.
struct BarePath {
  explicit BarePath(const std::string& directory) {
    std::filesystem::create_directory(directory);
    for (const char* program : {"sh", "rm"})
      std::filesystem::create_symlink(std::string("/bin/") + program, directory + '/' + program);
    ::setenv("PATH", directory.c_str(), 1);
  }
  ~BarePath() { ::setenv("PATH", before.c_str(), 1); }
  const std::string before = std::getenv("PATH");
};

TEST_F(ImageServing, WithoutQemuNbdItIsUnsupported) {
  make_sparse(raw, 1 * MiB, {});
  const BarePath path(dir / "bin");
  expect_error(Code::unsupported, "install qemu-utils",
               [&] { ImageServer(ctx, raw, options(ImageFormat::raw, Access::read)); });
  EXPECT_EQ(left_behind(), 0U);
}

TEST_F(ImageServing, AStopEndsTheWaitForItsStart) {
  make_sparse(raw, 1 * MiB, {});
  source.request_stop();
  expect_error(Code::cancelled, "interrupted", [&] { ImageServer(ctx, raw, options(ImageFormat::raw, Access::read)); });
  EXPECT_EQ(left_behind(), 0U);
}

TEST_F(ImageServing, AServerThatDoesNotStartInTimeIsEnded) {
  make_sparse(raw, 1 * MiB, {});
  auto wanted = options(ImageFormat::raw, Access::write);
  wanted.start_timeout = 0ms;
  expect_error(Code::timeout, "in time", [&] { ImageServer(ctx, raw, wanted); });
  EXPECT_EQ(left_behind(), 0U);
  open_raw_writer(raw);  // nothing has it locked
}

TEST_F(ImageServing, ItEndsWithTheProcessThatStartedIt) {
  make_sparse(raw, 1 * MiB, {});
  const auto ready = base::make_pipe();
  const pid_t child = ::fork();
  if (child == 0) {
    auto wanted = options(ImageFormat::raw, Access::write);
    const ImageServer server(base::Context{}, raw, wanted);
    base::write_all(ready.write_end.get(), "x");
    ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready.read_end.get(), &byte, 1), 1);
  expect_error(Code::busy, raw, [&] { open_raw(raw); });
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return !is_busy(raw); }));
  EXPECT_TRUE(eventually([&] { return left_behind() == 0; }));
}

struct Locks : ImageServing {};

TEST_F(Locks, ARawImageThatIsWrittenToElsewhereIsBusy) {
  make_sparse(raw, 1 * MiB, {});
  const auto other = Server::qemu_nbd(dir, {"-f", "raw", raw});
  expect_error(Code::busy, raw + " is in use", [&] { open_raw(raw); });
  expect_error(Code::busy, raw + " is in use", [&] { open_raw_writer(raw); });
  expect_error(Code::busy, raw + " is in use", [&] { open_image(ctx, raw); });
}

TEST_F(Locks, ARawImageThatIsReadElsewhereCanBeReadOnly) {
  make_sparse(raw, 1 * MiB, {{0, 1 * MiB}});
  const ImageServer other(ctx, raw, options(ImageFormat::raw, Access::read));
  EXPECT_EQ(read_at(ctx, *open_raw(raw), {0, 5}), pattern(0, 5));
  expect_error(Code::busy, raw + " is in use", [&] { open_raw_writer(raw); });
}

TEST_F(Locks, TwoReadersAreWellTogetherAndAWriterIsAlone) {
  make_sparse(raw, 1 * MiB, {});
  {
    const auto one = open_raw(raw), two = open_raw(raw);
    expect_error(Code::busy, raw, [&] { open_raw_writer(raw); });
  }
  const auto writer = open_raw_writer(raw);
  expect_error(Code::busy, raw, [&] { open_raw(raw); });
  expect_error(Code::busy, raw, [&] { open_raw_writer(raw); });
}

// A machine that does nothing, with the image as its disk.
std::vector<std::string> machine_of(const std::string& image, ImageFormat format) {
  return {"qemu-system-x86_64",
          "-accel",
          "tcg",
          "-m",
          "64",
          "-nodefaults",
          "-display",
          "none",
          "-S",
          "-drive",
          fmt::format("file={},format={},if=virtio", image, name_of(format))};
}

TEST_F(Locks, ADiskOfARunningMachineIsBusy) {
  MUSTER_NEEDS("qemu-system-x86_64");
  for (const auto format : {ImageFormat::raw, ImageFormat::qcow2}) {
    const std::string image = dir / (std::string("disk.") + name_of(format));
    create_image(ctx, image, format, 1 * MiB)->flush(ctx);
    const base::ChildProcess machine(machine_of(image, format));
    EXPECT_TRUE(eventually([&] { return is_busy(image); }));
    expect_error(Code::busy, image, [&] { open_image(ctx, image); });
    expect_error(Code::busy, image, [&] { open_image_writer(ctx, image); });
    for (const auto access : {Access::read, Access::write})
      expect_error(Code::busy, image, [&] { ImageServer(ctx, image, options(format, access)); });
  }
}

TEST_F(Locks, NoMachineStartsFromADiskThatIsOpenHere) {
  MUSTER_NEEDS("qemu-system-x86_64");
  make_sparse(raw, 1 * MiB, {});
  const auto expect_refused = [&] {
    const auto finished = run(machine_of(raw, ImageFormat::raw));
    EXPECT_EQ(finished.code, 1);
    EXPECT_NE(finished.err.find("Is another process using the image"), std::string::npos) << finished.err;
  };
  {
    const auto reader = open_raw(raw);
    expect_refused();
  }
  {
    const auto writer = open_raw_writer(raw);
    expect_refused();
  }
  for (const auto access : {Access::read, Access::write}) {
    const ImageServer server(ctx, raw, options(ImageFormat::raw, access));
    expect_refused();
  }
}

TEST_F(Locks, AQcow2ImageThatIsWrittenToElsewhereIsBusy) {
  create_image(ctx, qcow2, ImageFormat::qcow2, 1 * MiB)->flush(ctx);
  const auto other = Server::qemu_nbd(dir, {"-f", "qcow2", qcow2});
  expect_error(Code::busy, qcow2, [&] { open_image(ctx, qcow2); });
  expect_error(Code::busy, qcow2, [&] { open_image_writer(ctx, qcow2); });
  EXPECT_EQ(image_facts(ctx, qcow2, ImageFormat::qcow2).virtual_size_bytes, 1 * MiB);
}

TEST_F(Locks, ABackingFileThatIsWrittenToElsewhereIsBusy) {
  create_image(ctx, dir / "base.qcow2", ImageFormat::qcow2, 1 * MiB)->flush(ctx);
  run_well({"qemu-img", "create", "-q", "-f", "qcow2", "-b", dir / "base.qcow2", "-F", "qcow2", qcow2});
  const auto other = Server::qemu_nbd(dir, {"-f", "qcow2", dir / "base.qcow2"});
  expect_error(Code::busy, "base.qcow2", [&] { open_image(ctx, qcow2); });
}

}  // namespace
}  // namespace muster::disk
