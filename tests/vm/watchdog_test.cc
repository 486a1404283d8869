#include "vm/watchdog.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "base/context.h"
#include "base/error.h"
#include "vm/job_guard.h"

namespace muster::vm {
namespace {

Watchdog shell(const std::string& script) { return {"sh", "-c", script}; }

TEST(WatchdogProcess, ItIsHeardAndCalledOff) {
  WatchdogProcess watchdog(shell("echo watching; read -r line; echo \"called off: $line\""));
  watchdog.await("it");
  EXPECT_EQ(watchdog.said(), "");
  watchdog.call_off();
  watchdog.await_end();
  EXPECT_EQ(watchdog.said(), "called off: done\n");
}

TEST(WatchdogProcess, WhatItSaysStaysAfterItsEnd) {
  ::signal(SIGPIPE, SIG_IGN);  // as programs with watchdogs do
  WatchdogProcess watchdog(shell("echo watching; echo no room"));
  watchdog.await("it");
  watchdog.await_end();
  EXPECT_EQ(watchdog.said(), "no room\n");
  watchdog.call_off();
  EXPECT_EQ(watchdog.said(), "no room\n");
}

TEST(WatchdogProcess, OneThatDoesNotWatchIsAnErrorAtOnce) {
  const auto began = base::Clock::now();
  for (const char* script : {"exit 0", "echo something else"}) {
    WatchdogProcess watchdog(shell(script));
    EXPECT_THROW(watchdog.await("it"), base::Error) << script;
  }
  EXPECT_LT(base::Clock::now() - began, std::chrono::seconds(10));
}

TEST(JobGuard, WhatTellsNoRoomIsNoComplaint) {
  EXPECT_EQ(complaint_of_room({}), "");
  EXPECT_EQ(complaint_of_room({"/proc", "/nowhere/at/all"}), "");
}

}  // namespace
}  // namespace muster::vm
