#include "vm/care.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

namespace muster::vm {
namespace {

using std::chrono::milliseconds;

struct CareTest : testing::Test {
  const std::string uuid = "00000000-0000-4000-8000-" + std::to_string(::getpid());
};

TEST_F(CareTest, NobodyTakesItOverByDefault) {
  take_over(Charge::guest, uuid);
  Care care(Charge::guest, uuid);
  EXPECT_FALSE(care.taken_over_within(milliseconds(20)));
}

TEST_F(CareTest, WhoeverTakesItOverWaitsUntilTheOtherHasStopped) {
  std::atomic<bool> stopped = false, taken = false;
  std::jthread taker;
  {
    Care care(Charge::guest, uuid);
    taker = std::jthread([&] {
      take_over(Charge::guest, uuid);
      taken = true;
      EXPECT_TRUE(stopped);
    });
    while (!care.taken_over_within(milliseconds(10))) continue;
    EXPECT_FALSE(taken);
    stopped = true;
  }
  taker.join();
}

TEST_F(CareTest, ANewOneTakesItFromTheOld) {
  std::atomic<bool> listens = false, taken = false;
  std::jthread old([&] {
    Care care(Charge::guest, uuid);
    listens = true;
    while (!care.taken_over_within(milliseconds(10))) continue;
    taken = true;
  });
  while (!listens) std::this_thread::yield();
  const Care care(Charge::guest, uuid);
  EXPECT_TRUE(taken);
}

TEST_F(CareTest, MachinesAndChargesAreApart) {
  Care care(Charge::guest, uuid);
  const Care other(Charge::guest, uuid + "x"), job(Charge::job, uuid);
  EXPECT_FALSE(care.taken_over_within(milliseconds(5)));
}

}  // namespace
}  // namespace muster::vm
