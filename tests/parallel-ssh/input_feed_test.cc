#include "parallel-ssh/input_feed.h"

#include <gtest/gtest.h>

#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

const SudoSecret kSecret{.prompt_marker = "[prompt]", .ready_marker = "[ready]", .password = "pass"};

struct InputFeedTest : testing::Test {
  FileTree tree;
  InputSource source{tree.path()};

  // A request whose input is whole.
  CommandRequest request(const std::string& input, std::optional<SudoSecret> sudo = std::nullopt) {
    source.append(input);
    source.close();
    return {.command = {}, .input = &source, .sudo = std::move(sudo), .clocks = {}};
  }
};

TEST_F(InputFeedTest, HandsTheInputOutInPiecesAndThenItsEnd) {
  const auto wanted = request("0123456789");
  InputFeed feed(wanted);
  EXPECT_FALSE(feed.at_end());
  EXPECT_EQ(feed.next(4), "0123");
  EXPECT_EQ(feed.next(0), "");
  EXPECT_FALSE(feed.at_end());
  EXPECT_EQ(feed.next(100), "456789");
  EXPECT_TRUE(feed.at_end());
  EXPECT_EQ(feed.next(100), "");
}

TEST_F(InputFeedTest, HostsReadTheSameFileAtTheirOwnPace) {
  const auto wanted = request("abcdef");
  InputFeed one(wanted), other(wanted);
  EXPECT_EQ(one.next(4), "abcd");
  EXPECT_EQ(other.next(2), "ab");
  EXPECT_EQ(one.next(4), "ef");
  EXPECT_EQ(other.next(9), "cdef");
}

TEST_F(InputFeedTest, WithoutInputTheEndComesAtOnce) {
  const CommandRequest wanted{.command = {}, .input = nullptr, .sudo = {}, .clocks = {}};
  InputFeed feed(wanted);
  EXPECT_TRUE(feed.at_end());
  EXPECT_EQ(feed.next(10), "");
  EXPECT_EQ(feed.filter_error("err[prompt]"), "err[prompt]");
  EXPECT_EQ(feed.finish_error(), "");
  EXPECT_FALSE(feed.refused());
}

TEST_F(InputFeedTest, InputWaitsUntilSudoLetsThrough) {
  const auto wanted = request("input", kSecret);
  InputFeed feed(wanted);
  EXPECT_EQ(feed.next(100), "");
  EXPECT_FALSE(feed.at_end());
  EXPECT_EQ(feed.filter_error("x[prompt]"), "x");
  EXPECT_EQ(feed.next(2), "pa");
  EXPECT_FALSE(feed.at_end());
  EXPECT_EQ(feed.next(100), "ss\n");
  EXPECT_EQ(feed.next(100), "");  // the password may still be wrong
  EXPECT_FALSE(feed.at_end());
  EXPECT_EQ(feed.filter_error("[ready]y"), "y");
  EXPECT_EQ(feed.next(100), "input");
  EXPECT_TRUE(feed.at_end());
}

TEST_F(InputFeedTest, ARefusedPasswordLetsNoInputFollow) {
  const auto wanted = request("input", kSecret);
  InputFeed feed(wanted);
  feed.filter_error("[prompt]");
  EXPECT_EQ(feed.next(100), "pass\n");
  EXPECT_EQ(feed.filter_error("[prompt]"), "");
  EXPECT_TRUE(feed.refused());
  EXPECT_EQ(feed.next(100), "");
  EXPECT_FALSE(feed.at_end());
}

TEST_F(InputFeedTest, InputThatStillGrowsIsNotAtItsEnd) {
  const CommandRequest wanted{.command = {}, .input = &source, .sudo = {}, .clocks = {}};
  InputFeed feed(wanted);
  EXPECT_EQ(feed.next(10), "");
  EXPECT_TRUE(feed.may_grow());
  source.append("abc");
  EXPECT_EQ(feed.next(10), "abc");
  EXPECT_FALSE(feed.at_end());
  source.close();
  EXPECT_TRUE(feed.at_end());
  EXPECT_FALSE(feed.may_grow());
}

}  // namespace
}  // namespace muster::ssh
