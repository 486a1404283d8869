// Copies of files on this host: the same bytes and holes, whole or not there at all; blocks shared where that can be.
#include "disk/file_copy.h"

#include <filesystem>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/unique_fd.h"
#include "tests/disk/support.h"

namespace muster::disk {
namespace {

namespace fs = std::filesystem;
using base::Code;

std::string content(const std::string& path) { return base::read_file(path, 1U << 30); }
std::size_t files_in(const std::string& directory) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

// A directory on memory, which shares no blocks, and is another file system than that of DiskTest::dir.
class OnMemory {
 public:
  OnMemory() {
    struct statfs facts {};
    if (::statfs("/dev/shm", &facts) != 0 || facts.f_type != TMPFS_MAGIC) return;
    std::string path = "/dev/shm/muster-test-XXXXXX";
    if (::mkdtemp(path.data()) != nullptr) path_ = path;
  }
  OnMemory(const OnMemory&) = delete;
  OnMemory& operator=(const OnMemory&) = delete;
  ~OnMemory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  bool there() const { return !path_.empty(); }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

using FileCopy = DiskTest;

TEST_F(FileCopy, HasTheSameBytesAndHoles) {
  struct {
    const char* what;
    std::uint64_t size;
    std::vector<ByteRange> data;
  } const cases[] = {
      {"nothing", 0, {}},
      {"a hole alone", 16 * MiB, {}},
      {"a few bytes", 5, {{0, 5}}},
      {"data between holes", 24 * MiB, {{1 * MiB, 3 * MiB}, {20 * MiB, 1 * MiB}}},
      {"data at both ends", 8 * MiB + 77, {{0, 64 * KiB}, {8 * MiB, 77}}},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.what);
    const std::string from = dir / "from", to = dir / "to";
    make_sparse(from, one.size, one.data);
    copy_file(ctx, from, to, Sharing::where_possible);
    EXPECT_TRUE(content(to) == content(from));
    EXPECT_EQ(fs::file_size(to), one.size);
    EXPECT_LE(allocated(to), allocated(from) + 64 * KiB);
    struct stat facts {};
    ASSERT_EQ(::stat(to.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777U, 0600U);
    fs::remove(from);
    fs::remove(to);
  }
}

TEST_F(FileCopy, IsMadeOnAnotherFileSystemToo) {
  const OnMemory memory;
  if (!memory.there()) GTEST_SKIP() << "/dev/shm is no file system in memory";
  for (const bool there : {false, true}) {
    SCOPED_TRACE(there ? "into memory" : "out of memory");
    const std::string from = there ? dir / "from" : memory / "from", to = there ? memory / "to" : dir / "to";
    make_sparse(from, 32 * MiB, {{0, 5}, {1 * MiB + 3, 5 * MiB}, {31 * MiB, 1 * MiB}});
    copy_file(ctx, from, to, Sharing::where_possible);
    EXPECT_TRUE(content(to) == content(from));
    EXPECT_LE(allocated(to), 7 * MiB);
    fs::remove(from);
    fs::remove(to);
  }
}

TEST_F(FileCopy, IsNotLaidOverAFileThatIsThere) {
  write_file(dir / "from", pattern(0, 100));
  write_file(dir / "to", pattern(7, 50));
  fs::create_symlink(dir / "nowhere", dir / "link");
  const std::string before = content(dir / "to");
  for (const auto sharing : {Sharing::where_possible, Sharing::required})
    for (const char* to : {"to", "link"})
      expect_error(Code::refused, dir / to, [&] { copy_file(ctx, dir / "from", dir / to, sharing); });
  EXPECT_EQ(content(dir / "to"), before);
  EXPECT_FALSE(fs::exists(dir / "nowhere"));
}

TEST_F(FileCopy, IsGoneAgainAfterAnError) {
  make_sparse(dir / "from", 8 * MiB, {{0, 1 * MiB}});
  fs::create_directory(dir / "copies");
  const std::string to = dir / "copies/to";
  expect_error(Code::not_found, "missing", [&] { copy_file(ctx, dir / "missing", to, Sharing::where_possible); });
  expect_error(Code::io, "", [&] { copy_file(ctx, dir.path(), to, Sharing::where_possible); });
  expect_error(Code::not_found, "", [&] { copy_file(ctx, dir / "from", dir / "no/to", Sharing::where_possible); });
  EXPECT_EQ(files_in(dir / "copies"), 0U);
  if (can_share_blocks(dir / "from", dir / "copies")) GTEST_SKIP() << "shared blocks are copied in no time";
  source.request_stop();
  expect_error(Code::cancelled, "", [&] { copy_file(ctx, dir / "from", to, Sharing::where_possible); });
  EXPECT_EQ(files_in(dir / "copies"), 0U);
}

TEST_F(FileCopy, ThatHasToShareBlocksIsRefusedWhereThatCannotBe) {
  const OnMemory memory;
  if (!memory.there()) GTEST_SKIP() << "/dev/shm is no file system in memory";
  write_file(memory / "from", pattern(0, 100));
  write_file(dir / "from", pattern(0, 100));
  for (const std::string& from : {memory / "from", dir / "from"}) {
    expect_error(Code::unsupported, "cannot share blocks",
                 [&] { copy_file(ctx, from, memory / "to", Sharing::required); });
    EXPECT_FALSE(can_share_blocks(from, memory.path()));
  }
  EXPECT_EQ(files_in(memory.path()), 1U);
}

// Whatever the file system of the tests can.
TEST_F(FileCopy, SharesBlocksJustWhereItSaysSo) {
  make_sparse(dir / "from", 8 * MiB, {{0, 4 * MiB}});
  const auto share = [&] { copy_file(ctx, dir / "from", dir / "to", Sharing::required); };
  if (can_share_blocks(dir / "from", dir.path())) {
    share();
    EXPECT_TRUE(content(dir / "to") == content(dir / "from"));
  } else {
    expect_error(Code::unsupported, "cannot share blocks", share);
    EXPECT_FALSE(fs::exists(dir / "to"));
  }
  EXPECT_EQ(files_in(dir.path()), fs::exists(dir / "to") ? 2U : 1U) << "the trial left nothing";
  EXPECT_FALSE(can_share_blocks(dir / "missing", dir.path()));
  EXPECT_FALSE(can_share_blocks(dir / "from", dir / "missing"));
}

}  // namespace
}  // namespace muster::disk
