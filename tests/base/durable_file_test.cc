#include "base/durable_file.h"

#include <filesystem>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/unique_fd.h"

namespace muster::base {
namespace {

struct DurableFile : testing::Test {
  std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("muster-durable-" + std::to_string(::getpid()));
  void SetUp() override { std::filesystem::create_directories(directory); }
  void TearDown() override { std::filesystem::remove_all(directory); }
  std::string path(const char* name) const { return directory / name; }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
  }
};

TEST_F(DurableFile, ReplacesWholeAndLeavesNothingBehind) {
  replace_file(path("f"), "old\n");
  replace_file(path("f"), "new\n", 0600);
  EXPECT_EQ(read_file(path("f"), 100), "new\n");
  struct stat st {};
  ASSERT_EQ(::stat(path("f").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0600U);
  EXPECT_EQ(entries(), 1U);
}

TEST_F(DurableFile, MissingDirectoryIsNotFound) {
  try {
    replace_file(path("no/such"), "x");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::not_found);
  }
}

TEST_F(DurableFile, APlaceIsCheckedWithoutATrace) {
  check_replaceable(path("new"));
  EXPECT_EQ(entries(), 0U);
  replace_file(path("old"), "text");
  check_replaceable(path("old"));
  EXPECT_EQ(read_file(path("old"), 100), "text");
  EXPECT_THROW(check_replaceable(path("no/such")), Error);
  EXPECT_THROW(check_replaceable(directory), Error);
}

TEST_F(DurableFile, AppendedLinesOfManyWritersStayWhole) {
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < 4; ++w)
      writers.emplace_back([&, w] {
        for (int i = 0; i < 25; ++i) append_locked(path("log"), std::string(100, static_cast<char>('a' + w)) + "\n");
      });
  }
  const std::string text = read_file(path("log"), 1U << 20);
  EXPECT_EQ(text.size(), 4U * 25 * 101);
  for (std::size_t at = 0; at < text.size(); at += 101)
    EXPECT_EQ(text.substr(at, 101), std::string(100, text[at]) + "\n");
}

TEST_F(DurableFile, AppendMendsAMissingLastNewline) {
  replace_file(path("log"), "half");
  append_locked(path("log"), "line\n");
  EXPECT_EQ(read_file(path("log"), 100), "half\nline\n");
}

TEST_F(DurableFile, ReadStopsAtItsLimit) {
  replace_file(path("big"), std::string(1000, 'x'));
  EXPECT_THROW(read_file(path("big"), 999), Error);
}

}  // namespace
}  // namespace muster::base
