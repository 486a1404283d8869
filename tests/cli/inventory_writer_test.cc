// Writing into the user's own files: no writer's lines are lost, links and modes stay, nothing changes for nothing.
#include "cli/inventory_writer.h"

#include <algorithm>
#include <filesystem>
#include <future>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "tests/parallel-ssh/support.h"

namespace muster::cli {
namespace {

namespace fs = std::filesystem;
using base::Code;

struct TextFiles : testing::Test {
  inventory::FileTree tree;
  std::stop_source source;
  base::Context ctx{.stop = source.get_token()};

  static std::string text_of(const std::string& path) { return base::read_file(path, 1U << 20); }
  static mode_t mode_of(const std::string& path) {
    struct stat facts {};
    return ::stat(path.c_str(), &facts) == 0 ? facts.st_mode & 07777U : 0;
  }
  static std::size_t files_in(const std::string& directory) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
  }
  bool add_line(const std::string& file, const std::string& line, mode_t mode = 0600) const {
    return edit_text_file(ctx, file, mode, [&](const std::string& text) { return text + line + "\n"; });
  }
};

TEST_F(TextFiles, AreMadeWithTheModeAskedFor) {
  const std::string file = tree.path("new");
  EXPECT_TRUE(add_line(file, "one", 0600));
  EXPECT_EQ(text_of(file), "one\n");
  EXPECT_EQ(mode_of(file), 0600U);
  EXPECT_TRUE(ssh::failure_of([&] { add_line(tree.path("no/file"), "x"); }).is(Code::not_found, "no/file"));
}

TEST_F(TextFiles, KeepTheirMode) {
  for (const mode_t mode : {0600U, 0640U, 0664U, 0400U}) {
    const std::string file = tree.path("file" + std::to_string(mode));
    tree.add("file" + std::to_string(mode), "one\n");
    ASSERT_EQ(::chmod(file.c_str(), mode), 0);
    EXPECT_TRUE(add_line(file, "two", 0644));
    EXPECT_EQ(text_of(file), "one\ntwo\n");
    EXPECT_EQ(mode_of(file), mode);
  }
}

TEST_F(TextFiles, BehindLinksAreChangedAndTheLinksStay) {
  tree.add("real/inventory", "one\n");
  fs::create_symlink("real/inventory", tree.path("link"));
  fs::create_symlink("link", tree.path("link-of-link"));
  fs::create_directory_symlink("real", tree.path("directory"));
  for (const char* name : {"link", "link-of-link", "directory/inventory"})
    EXPECT_TRUE(add_line(tree.path(name), name)) << name;
  EXPECT_EQ(text_of(tree.path("real/inventory")), "one\nlink\nlink-of-link\ndirectory/inventory\n");
  EXPECT_TRUE(fs::is_symlink(tree.path("link")) && fs::is_symlink(tree.path("link-of-link")));
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(tree.path("real/inventory"))));
}

TEST_F(TextFiles, BehindLinksAreMadeWhereTheyWereNot) {
  tree.add("real/other", "");
  fs::create_symlink("real/inventory", tree.path("link"));
  EXPECT_TRUE(add_line(tree.path("link"), "one"));
  EXPECT_TRUE(fs::is_symlink(tree.path("link")));
  EXPECT_EQ(text_of(tree.path("real/inventory")), "one\n");
}

TEST_F(TextFiles, AreLeftAloneWhereNothingChanges) {
  tree.add("file", "one\n");
  const auto before = fs::last_write_time(tree.path("file"));
  struct stat was {
  }, is{};
  ASSERT_EQ(::stat(tree.path("file").c_str(), &was), 0);
  EXPECT_FALSE(edit_text_file(ctx, tree.path("file"), 0600, [](const std::string& text) { return text; }));
  ASSERT_EQ(::stat(tree.path("file").c_str(), &is), 0);
  EXPECT_EQ(is.st_ino, was.st_ino);
  EXPECT_EQ(fs::last_write_time(tree.path("file")), before);
}

TEST_F(TextFiles, StayAsTheyWereWhenTheEditThrows) {
  tree.add("file", "one\n");
  const auto failure = ssh::failure_of([&] {
    edit_text_file(ctx, tree.path("file"), 0600,
                   [](const std::string&) -> std::string { throw base::Error(Code::usage, "no"); });
  });
  EXPECT_TRUE(failure.is(Code::usage, "no"));
  EXPECT_EQ(text_of(tree.path("file")), "one\n");
  EXPECT_TRUE(add_line(tree.path("file"), "two")) << "nothing holds it";
  EXPECT_EQ(files_in(tree.path()), 1U);
}

TEST_F(TextFiles, LoseNoLineOfManyWriters) {
  constexpr int kWriters = 8, kLines = 10;
  const std::string file = tree.path("file");
  fs::create_symlink("file", tree.path("link"));
  {
    std::vector<std::jthread> threads;
    for (int writer = 0; writer < kWriters; ++writer)
      threads.emplace_back([&, writer] {
        for (int line = 0; line < kLines; ++line)
          add_line(writer % 2 == 0 ? file : tree.path("link"), std::to_string(writer * kLines + line));
      });
  }
  std::istringstream lines(text_of(file));
  std::vector<int> numbers;
  for (int number = 0; lines >> number;) numbers.push_back(number);
  std::sort(numbers.begin(), numbers.end());
  ASSERT_EQ(numbers.size(), std::size_t{kWriters * kLines});
  for (int i = 0; i < kWriters * kLines; ++i) EXPECT_EQ(numbers[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(files_in(tree.path()), 2U) << "nothing is left beside it";
}

// Whoever holds it lets go when it ends.
TEST_F(TextFiles, WaitForAnotherWriterUntilStopped) {
  tree.add("file", "one\n");
  const base::UniqueFd held(::open(tree.path("file").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(held.get(), LOCK_EX), 0);
  auto waiting =
      std::async(std::launch::async, [&] { return ssh::failure_of([&] { add_line(tree.path("file"), "x"); }); });
  source.request_stop();
  EXPECT_EQ(waiting.get().code, Code::cancelled);
  EXPECT_EQ(text_of(tree.path("file")), "one\n");
}

}  // namespace
}  // namespace muster::cli
