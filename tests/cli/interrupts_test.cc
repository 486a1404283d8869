#include "cli/interrupts.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/context.h"
#include "cli/exit_status.h"

namespace muster::cli {
namespace {

struct InterruptsTest : testing::Test {
  InterruptsTest() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    ::pthread_sigmask(SIG_SETMASK, nullptr, &before_);
  }
  ~InterruptsTest() override {
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    ::signal(SIGINT, SIG_DFL);
  }

  static void send(int number) { ::kill(::getpid(), number); }
  template <typename Condition>
  static bool soon(Condition condition) {
    const auto deadline = base::Clock::now() + base::seconds(30);
    while (!condition() && base::Clock::now() < deadline) std::this_thread::sleep_for(base::milliseconds(1));
    return condition();
  }

 private:
  sigset_t before_{};
};

TEST_F(InterruptsTest, TheFirstDrainsTheSecondAborts) {
  Interrupts interrupts;
  std::atomic<int> heard = 0;
  interrupts.on_interrupt([&](int count) { heard = count; });
  EXPECT_FALSE(interrupts.drain().stop_requested() || interrupts.abort().stop_requested() || interrupts.interrupted());
  send(SIGINT);
  ASSERT_TRUE(soon([&] { return heard == 1; }));
  EXPECT_TRUE(interrupts.drain().stop_requested());
  EXPECT_FALSE(interrupts.abort().stop_requested());
  EXPECT_TRUE(interrupts.interrupted());
  send(SIGINT);
  ASSERT_TRUE(soon([&] { return heard == 2; }));
  EXPECT_TRUE(interrupts.abort().stop_requested());
}

TEST_F(InterruptsTest, TheThirdLeavesAtOnce) {
  EXPECT_EXIT(
      {
        Interrupts interrupts;
        std::atomic<int> heard = 0;
        interrupts.on_interrupt([&](int count) { heard = count; });
        for (int count = 1; count <= 3; ++count) {
          send(SIGINT);
          soon([&] { return heard == count; });
        }
      },
      testing::ExitedWithCode(kInterrupted), "");
}

TEST_F(InterruptsTest, TerminationAndHangUpDoBothTogether) {
  for (const int number : {SIGTERM, SIGHUP}) {
    Interrupts interrupts;
    send(number);
    EXPECT_TRUE(soon([&] { return interrupts.abort().stop_requested() && interrupts.drain().stop_requested(); }));
    EXPECT_TRUE(interrupts.interrupted());
  }
}

TEST_F(InterruptsTest, GivingUpIsNoInterrupt) {
  Interrupts interrupts;
  interrupts.give_up();
  EXPECT_TRUE(interrupts.abort().stop_requested() && interrupts.drain().stop_requested());
  EXPECT_FALSE(interrupts.interrupted());
}

TEST_F(InterruptsTest, WhatWasIgnoredStaysIgnored) {
  ::signal(SIGINT, SIG_IGN);
  Interrupts interrupts;
  send(SIGINT);
  send(SIGTERM);
  ASSERT_TRUE(soon([&] { return interrupts.abort().stop_requested(); }));
  std::atomic<int> heard = 0;
  interrupts.on_interrupt([&](int count) { heard = count; });
  send(SIGINT);
  EXPECT_EQ(heard, 0);
}

}  // namespace
}  // namespace muster::cli
