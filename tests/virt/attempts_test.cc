#include "virt/attempts.h"

#include <latch>

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::virt {
namespace {

using namespace std::chrono_literals;

struct Attempting : testing::Test {
  std::stop_source source;
  base::Context ctx{.stop = source.get_token()};
};

TEST_F(Attempting, ACallThatHangsIsLeftBehind) {
  const auto never = std::make_shared<std::latch>(1);
  Attempts<int> attempts;
  attempts.start([never] {
    never->wait();
    return 1;
  });
  EXPECT_FALSE(attempts.first(ctx, 1ms));
  attempts.start([] { return 2; });
  EXPECT_EQ(attempts.first(ctx, 60s), 2);
  never->count_down();
}

TEST_F(Attempting, WhatACallThrowsComesBack) {
  Attempts<int> attempts;
  attempts.start([]() -> int { throw base::Error(base::Code::busy, "later"); });
  EXPECT_THROW(attempts.first(ctx, 60s), base::Error);
}

TEST_F(Attempting, AStopEndsTheWait) {
  const auto never = std::make_shared<std::latch>(1);
  Attempts<int> attempts;
  attempts.start([never] {
    never->wait();
    return 1;
  });
  source.request_stop();
  try {
    attempts.first(ctx, 60s);
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), base::Code::cancelled);
  }
  never->count_down();
}

}  // namespace
}  // namespace muster::virt
