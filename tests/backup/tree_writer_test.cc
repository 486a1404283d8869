// backup/tree_writer.h: whatever it is told to make, nothing is made outside of its directory.
#include "backup/tree_writer.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "tests/backup/test_directory.h"

namespace muster::backup {
namespace {

using archive::Entry;
using archive::EntryType;
using base::Error;
namespace fs = std::filesystem;

class TreeWriting : public ::testing::Test {
 protected:
  TreeWriting() {
    fs::create_directories(top_ / "in");
    fs::create_directories(top_ / "out");
    std::ofstream(top_ / "out/secret") << "secret";
  }

  static Entry entry(EntryType type, const std::string& path, const std::string& target = "") {
    Entry made{.type = type, .path = path, .mode = 0755, .uid = ::geteuid(), .gid = ::getegid(), .target = target};
    made.modified.seconds = 1'000'000'000;
    return made;
  }
  void put(TreeWriter& writer, Entry made, const std::string& bytes = "") const {
    made.size_bytes = bytes.size();
    writer.begin(made, {});
    if (!bytes.empty()) writer.write(0, base::as_bytes(bytes));
    writer.end();
  }
  std::string read(const std::string& path) const {
    std::ifstream file(top_ / path, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
  }
  void expect_outside_untouched() const {
    EXPECT_EQ(read("out/secret"), "secret");
    EXPECT_EQ(std::distance(fs::directory_iterator(top_ / "out"), fs::directory_iterator()), 1);
    EXPECT_EQ(fs::status(top_ / "out/secret").permissions() & fs::perms::owner_exec, fs::perms::none);
    EXPECT_EQ(fs::hard_link_count(top_ / "out/secret"), 1U);
  }

  const TestDirectory directory_;
  const fs::path top_ = directory_.path();
};

TEST_F(TreeWriting, PathsThatLeadOutAreRefused) {
  TreeWriter writer((top_ / "in").string());
  for (const char* path : {"../out/secret", "/etc/x", "a/../../out/x", "a/./x", "a//x", ".."})
    EXPECT_THROW(put(writer, entry(EntryType::file, path), "bad"), Error) << path;
  writer.finish();
  expect_outside_untouched();
}

TEST_F(TreeWriting, NothingGoesThroughALinkThatWasRestoredBefore) {
  TreeWriter writer((top_ / "in").string());
  put(writer, entry(EntryType::symlink, "a", (top_ / "out").string()));
  EXPECT_THROW(put(writer, entry(EntryType::file, "a/secret"), "bad"), Error);
  EXPECT_THROW(put(writer, entry(EntryType::directory, "a/new")), Error);
  EXPECT_THROW(put(writer, entry(EntryType::symlink, "a/new", "x")), Error);
  EXPECT_THROW(put(writer, entry(EntryType::fifo, "a/new")), Error);
  EXPECT_THROW(put(writer, entry(EntryType::hard_link, "stolen", "a/secret")), Error);
  writer.finish();
  expect_outside_untouched();
}

TEST_F(TreeWriting, AFileReplacesALinkAndDoesNotFollowIt) {
  fs::create_symlink(top_ / "out/secret", top_ / "in/a");
  TreeWriter writer((top_ / "in").string());
  put(writer, entry(EntryType::file, "a"), "new");
  writer.finish();
  EXPECT_FALSE(fs::is_symlink(top_ / "in/a"));
  EXPECT_EQ(read("in/a"), "new");
  expect_outside_untouched();
}

TEST_F(TreeWriting, ADirectoryReplacesALinkAndDoesNotFollowIt) {
  fs::create_directory_symlink(top_ / "out", top_ / "in/a");
  TreeWriter writer((top_ / "in").string());
  put(writer, entry(EntryType::directory, "a"));
  put(writer, entry(EntryType::file, "a/secret"), "new");
  writer.finish();
  EXPECT_EQ(read("in/a/secret"), "new");
  expect_outside_untouched();
}

TEST_F(TreeWriting, ALinkIsOneToAFileInTheTreeAlone) {
  fs::create_symlink(top_ / "out/secret", top_ / "in/a");
  TreeWriter writer((top_ / "in").string());
  EXPECT_THROW(put(writer, entry(EntryType::hard_link, "b", "a")), Error);
  EXPECT_THROW(put(writer, entry(EntryType::hard_link, "b", "../out/secret")), Error);
  writer.finish();
  expect_outside_untouched();
}

TEST_F(TreeWriting, WhatIsMadeOfALinkDoesNotReachItsTarget) {
  TreeWriter writer((top_ / "in").string());
  auto link = entry(EntryType::symlink, "a", (top_ / "out/secret").string());
  link.mode = 0777;
  put(writer, link);
  writer.finish();
  expect_outside_untouched();
  EXPECT_TRUE(fs::is_symlink(top_ / "in/a"));
}

TEST_F(TreeWriting, WhatIsSpoiltLeavesTheOldFile) {
  std::ofstream(top_ / "in/a") << "old";
  TreeWriter writer((top_ / "in").string());
  auto file = entry(EntryType::file, "a");
  file.size_bytes = 3;
  writer.begin(file, {});
  writer.write(0, base::as_bytes(std::string_view("ne")));
  writer.spoil();
  writer.finish();
  EXPECT_EQ(read("in/a"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(top_ / "in"), fs::directory_iterator()), 1);
}

TEST_F(TreeWriting, ADirectoryThatIsNotEmptyIsNotReplaced) {
  fs::create_directories(top_ / "in/a/b");
  TreeWriter writer((top_ / "in").string());
  EXPECT_THROW(put(writer, entry(EntryType::file, "a"), "new"), Error);
  put(writer, entry(EntryType::file, "c"), "goes on");
  writer.finish();
  EXPECT_TRUE(fs::exists(top_ / "in/a/b"));
  EXPECT_EQ(read("in/c"), "goes on");
}

TEST_F(TreeWriting, DirectoriesGetTheirTimesAfterWhatIsInThem) {
  TreeWriter writer((top_ / "in").string());
  put(writer, entry(EntryType::directory, ""));
  put(writer, entry(EntryType::directory, "a"));
  put(writer, entry(EntryType::directory, "a/b"));
  put(writer, entry(EntryType::file, "a/b/c"), "1");
  put(writer, entry(EntryType::file, "a/d"), "1");
  writer.finish();
  const auto time = fs::last_write_time(top_ / "in/a/d");
  for (const char* path : {"in", "in/a", "in/a/b", "in/a/b/c"})
    EXPECT_EQ(fs::last_write_time(top_ / path), time) << path;
}

}  // namespace
}  // namespace muster::backup
