#include "parallel-ssh/output_spool.h"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "parallel-ssh/line_assembler.h"
#include "parallel-ssh/output_groups.h"
#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

std::string letters(std::size_t count) {
  std::string text(count, ' ');
  for (std::size_t i = 0; i < count; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

const std::string kNowhere = "/no/such/directory";

TEST(OutputSpool, SmallOutputNeedsNoFile) {
  OutputSpool spool(kNowhere);
  EXPECT_TRUE(spool.empty());
  const std::string text = letters(OutputSpool::kMemoryBytes);
  spool.append(text.substr(0, 10));
  spool.append(text.substr(10));
  EXPECT_EQ(spool.size_bytes(), text.size());
  EXPECT_EQ(text_of(spool), text);
}

TEST(OutputSpool, OneByteMoreSpillsAndNotBeingAbleToIsAnError) {
  OutputSpool spool(kNowhere);
  spool.append(letters(OutputSpool::kMemoryBytes));
  const auto failure = failure_of([&] { spool.append("x"); });
  EXPECT_TRUE(failure.is(Code::not_found, kNowhere)) << failure;
}

TEST(OutputSpool, LargeOutputReadsBackInOrderAndHasNoName) {
  const FileTree tree;
  const std::string directory = tree.path();
  OutputSpool spool(directory);
  const std::string text = letters(300'000);
  for (std::size_t at = 0; at < text.size(); at += 9'999) spool.append(std::string_view(text).substr(at, 9'999));
  EXPECT_EQ(spool.size_bytes(), text.size());
  EXPECT_EQ(text_of(spool), text);
  EXPECT_EQ(text_of(spool), text);  // reading leaves it as it is
  EXPECT_TRUE(std::filesystem::is_empty(directory));
}

TEST(OutputSpool, ClearedItStartsAnew) {
  const FileTree tree;
  const std::string directory = tree.path();
  OutputSpool spool(directory);
  spool.append(letters(200'000));
  spool.clear();
  EXPECT_TRUE(spool.empty());
  EXPECT_EQ(text_of(spool), "");
  spool.append("new");
  EXPECT_EQ(text_of(spool), "new");
}

TEST(ReadRange, GivesThePartAndAnErrorBeyondTheEnd) {
  const FileTree tree;
  const auto file = unnamed_file(tree.path());
  base::write_all(file.get(), letters(50'000));
  std::string part;
  read_range(file.get(), 100, 40'000, [&](std::string_view piece) { part += piece; });
  EXPECT_EQ(part, letters(50'000).substr(100, 40'000));
  EXPECT_EQ(failure_of([&] { read_range(file.get(), 49'999, 2, [](std::string_view) {}); }).code, Code::io);
}

// Collects lines as `[line]`.
struct Lines {
  explicit Lines(const std::string& directory) : assembler(directory) {}
  void append(std::string_view bytes) { assembler.append(bytes, take); }
  void finish() { assembler.finish(take); }

  LineAssembler assembler;
  std::string text;
  LineAssembler::Line take = [this](const OutputSpool& head, std::string_view tail) {
    text += "[" + text_of(head) + std::string(tail) + "]";
  };
};

TEST(LineAssembler, LinesComeWholeHoweverTheyAreSplit) {
  const std::string stream = "one\n\ntwo\nthree\n";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    Lines lines(kNowhere);
    lines.append(stream.substr(0, cut));
    lines.append(stream.substr(cut));
    lines.finish();
    EXPECT_EQ(lines.text, "[one][][two][three]") << cut;
  }
}

TEST(LineAssembler, AnUnfinishedLineWaitsForItsEnd) {
  Lines lines(kNowhere);
  lines.append("a");
  lines.append("");
  lines.append("b");
  EXPECT_EQ(lines.text, "");
  lines.append("c\nd");
  EXPECT_EQ(lines.text, "[abc]");
  lines.finish();
  EXPECT_EQ(lines.text, "[abc][d]");
  lines.finish();
  EXPECT_EQ(lines.text, "[abc][d]");
}

TEST(LineAssembler, NothingMoreComesAfterAnEmptyStreamOrALastNewline) {
  Lines lines(kNowhere);
  lines.finish();
  EXPECT_EQ(lines.text, "");
  lines.append("\n");
  lines.finish();
  EXPECT_EQ(lines.text, "[]");
}

TEST(LineAssembler, ALineLongerThanMemoryIsStillOneLine) {
  const FileTree tree;
  const std::string directory = tree.path();
  Lines lines(directory);
  const std::string text = letters(200'000);
  for (std::size_t at = 0; at < text.size(); at += 30'000) lines.append(std::string_view(text).substr(at, 30'000));
  lines.append("\nnext\n");
  EXPECT_TRUE(lines.text == "[" + text + "][next]");
}

struct OutputGroupsTest : testing::Test {
  FileTree tree;
  std::string directory = tree.path("spill");
  OutputGroups groups{directory};

  void SetUp() override { std::filesystem::create_directory(directory); }
  void add(const std::string& host, const std::string& label, const std::string& out, const std::string& err = "") {
    OutputSpool out_spool(directory), err_spool(directory);
    out_spool.append(out);
    err_spool.append(err);
    groups.add(host, label, out_spool, err_spool);
  }
  std::string read(const OutputGroups::Stored& stored) const {
    std::string text;
    groups.read(stored, [&](std::string_view piece) { text += piece; });
    return text;
  }
  // `label:out/err=hosts` of each group.
  std::string all() const {
    std::string text;
    for (const auto& group : groups.groups())
      text += (text.empty() ? "" : "; ") + group.label + ":" + read(group.out) + "/" + read(group.err) + "=" +
              inventory::joined(group.hosts);
    return text;
  }
};

TEST_F(OutputGroupsTest, WhatDiffersInAnythingIsAnotherGroup) {
  add("a", "", "same");
  add("b", "", "same");
  add("c", "exit status 1", "same");
  add("d", "", "same", "warning");
  add("e", "", "", "same");
  EXPECT_EQ(all(), ":same/=a b; exit status 1:same/=c; :same/warning=d; :/same=e");
}

TEST_F(OutputGroupsTest, LargestFirstAndAmongEqualsTheEarlier) {
  add("a", "", "1");
  add("b", "", "2");
  add("c", "", "3");
  add("d", "", "3");
  EXPECT_EQ(all(), ":3/=c d; :1/=a; :2/=b");
}

TEST_F(OutputGroupsTest, NoOutputAtAllIsAGroupWithoutAFile) {
  std::filesystem::remove(directory);
  add("a", "", "");
  add("b", "", "");
  EXPECT_EQ(all(), ":/=a b");
}

TEST_F(OutputGroupsTest, LargeOutputsAreComparedAndKept) {
  const std::string large = letters(150'000);
  add("a", "", large + "1");
  add("b", "", large + "2");
  add("c", "", large + "1");
  EXPECT_TRUE(all() == ":" + large + "1/=a c; :" + large + "2/=b");
  EXPECT_TRUE(std::filesystem::is_empty(directory));
}

TEST_F(OutputGroupsTest, OutputThatCouldNotBeKeptIsNoGroup) {
  std::filesystem::remove(directory);
  EXPECT_EQ(failure_of([&] { add("a", "", "one"); }).code, Code::not_found);
  std::filesystem::create_directory(directory);
  add("b", "", "two");
  add("c", "", "one");
  EXPECT_EQ(all(), ":two/=b; :one/=c");
}

TEST_F(OutputGroupsTest, AHalfWrittenOutputDoesNotShiftTheNext) {
  add("a", "", "first");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit ten{.rlim_cur = 10, .rlim_max = before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &ten);
  const auto failure = failure_of([&] { add("b", "", "longer than the limit"); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(failure.code, Code::io) << failure;
  add("c", "", "third");
  EXPECT_EQ(all(), ":first/=a; :third/=c");
}

}  // namespace
}  // namespace muster::ssh
