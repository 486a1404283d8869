#include "vm/guest_care.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

namespace muster::vm {
namespace {

using std::chrono::milliseconds;

struct Care : testing::Test {
  const std::string uuid = "00000000-0000-4000-8000-" + std::to_string(::getpid());
};

TEST_F(Care, NobodyTakesItOverByDefault) {
  take_guest_over(uuid);
  GuestCare care(uuid);
  EXPECT_FALSE(care.taken_over_within(milliseconds(20)));
}

TEST_F(Care, WhoeverTakesItOverWaitsUntilTheOtherHasStopped) {
  std::atomic<bool> stopped = false, taken = false;
  std::jthread taker;
  {
    GuestCare care(uuid);
    taker = std::jthread([&] {
      take_guest_over(uuid);
      taken = true;
      EXPECT_TRUE(stopped);
    });
    while (!care.taken_over_within(milliseconds(10))) continue;
    EXPECT_FALSE(taken);
    stopped = true;
  }
  taker.join();
}

TEST_F(Care, ANewOneTakesItFromTheOld) {
  std::atomic<bool> listens = false, taken = false;
  std::jthread old([&] {
    GuestCare care(uuid);
    listens = true;
    while (!care.taken_over_within(milliseconds(10))) continue;
    taken = true;
  });
  while (!listens) std::this_thread::yield();
  const GuestCare care(uuid);
  EXPECT_TRUE(taken);
}

TEST_F(Care, MachinesAreApart) {
  GuestCare care(uuid), other(uuid + "x");
  EXPECT_FALSE(care.taken_over_within(milliseconds(5)));
}

}  // namespace
}  // namespace muster::vm
