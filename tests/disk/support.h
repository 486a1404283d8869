// What tests of disks share: a directory, programs to run and servers to read from, contents to compare.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/child_process.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "disk/block_device.h"

namespace muster::disk {

inline constexpr std::uint64_t KiB = 1024, MiB = 1024 * KiB, GiB = 1024 * MiB, TiB = 1024 * GiB;

// A directory of a test's own, gone with its content.
class TempDir {
 public:
  TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct DiskTest : testing::Test {
  std::stop_source source;
  base::Context ctx{.stop = source.get_token()};
  TempDir dir;
};

// False after half a minute.
bool eventually(const std::function<bool()>& happened);

bool installed(const std::string& program);
#define MUSTER_NEEDS(program) \
  if (!installed(program)) GTEST_SKIP() << program << " is not installed"

struct Finished {
  int code;
  std::string out, err;
};
Finished run(const std::vector<std::string>& argv);
// Expects it to succeed; returns its output.
std::string run_well(const std::vector<std::string>& argv);

// This process's PATH, for as long as it lives: what was on it, but for some.
class OtherPrograms {
 public:
  explicit OtherPrograms(const std::string& directory);
  OtherPrograms(const OtherPrograms&) = delete;
  OtherPrograms& operator=(const OtherPrograms&) = delete;
  ~OtherPrograms();
  void leave_out(const std::string& program) const;
  // Ends with a failure, after the program did all it was to do.
  void let_fail_at_its_end(const std::string& program) const;

 private:
  const std::string directory_, former_path_;
};

// What an action throws; nullopt, and a failure, where it throws nothing.
struct Thrown {
  base::Code code;
  std::string text;
};
std::optional<Thrown> thrown_by(const std::function<void()>& action);
// The thrown error has this code, and its text holds `words`.
void expect_error(base::Code code, const std::string& words, const std::function<void()>& action);

// Bytes that tell by their place whether they came from the right one; never zero.
base::Bytes pattern(std::uint64_t offset, std::size_t count);
base::Bytes zeroes(std::size_t count);
base::Bytes joined(std::initializer_list<base::Bytes> parts);

base::Bytes read_at(const base::Context& ctx, BlockReader& disk, ByteRange range);
// The whole disk as its data ranges have it, all else zero: what a backup makes of it.
base::Bytes read_sparsely(const base::Context& ctx, BlockReader& disk);

void write_file(const std::string& path, base::ByteView bytes);
// Writes into a file that is there, at a place.
void write_into(const std::string& path, std::uint64_t offset, base::ByteView bytes);
// A sparse file with the pattern in its data ranges.
void make_sparse(const std::string& path, std::uint64_t size_bytes, const std::vector<ByteRange>& data);
// The bytes of it that take space.
std::uint64_t allocated(const std::string& path);

// A server that is one until it is stopped or the object ends.
class Server {
 public:
  // nbdkit with these arguments, on a Unix socket in `dir`.
  static Server nbdkit(const TempDir& dir, const std::vector<std::string>& arguments);
  // qemu-nbd with these arguments, holding its image.
  static Server qemu_nbd(const TempDir& dir, const std::vector<std::string>& arguments);

  const std::string& uri() const { return uri_; }
  // It stays connected, and does nothing any more.
  void freeze();
  void kill() { program_->wait(std::chrono::milliseconds(0)); }

 private:
  Server(const std::vector<std::string>& argv, const std::string& socket);
  std::unique_ptr<base::ChildProcess> program_;
  std::string uri_;
};

// How often the log of nbdkit's log filter tells of `what`.
std::size_t logged(const std::string& log, const std::string& what);

}  // namespace muster::disk
