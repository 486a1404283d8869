// Against libvirt's own test driver, whose guests do at once what they are asked.
#include <gtest/gtest.h>

#include "base/error.h"
#include "virt/connection.h"
#include "virt/lifecycle.h"
#include "vm/machine_facts.h"
#include "vm/stop.h"
#include "vm/wait_for.h"

namespace muster::vm {
namespace {

using base::Code;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Life : testing::Test {
  std::stop_source source;
  base::Context ctx{.stop = source.get_token()};
  virt::Connection connection{"test:///default"};
  virt::Domain domain = connection.domain("test");
};

TEST_F(Life, AMachineIsListedAndDescribed) {
  const auto all = list_machines(ctx, connection);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].name, "test");
  EXPECT_EQ(all[0].cpus, 2U);
  EXPECT_EQ(all[0].memory_bytes, 2ULL << 30);
  EXPECT_TRUE(all[0].persistent);
  ASSERT_EQ(all[0].addresses.size(), 1U);
  const auto details = describe(domain);
  EXPECT_EQ(details.max_memory_bytes, 8ULL << 30);
  ASSERT_EQ(details.facts.disks.size(), 1U);
  EXPECT_EQ(details.facts.disks[0].source, "/guest/diskimage1");
  EXPECT_TRUE(details.facts.disks[0].capacity_bytes);
}

TEST_F(Life, ASavedMachineIsListedAsSaved) {
  virt::save(domain);
  EXPECT_EQ(list_machines(ctx, connection).at(0).state, virt::State::saved);
}

TEST_F(Life, StoppingAsksAndSaysWhatCameOfIt) {
  EXPECT_EQ(stop(ctx, domain, {.grace = seconds(30)}), StopOutcome::shut_down);
  EXPECT_EQ(domain.reason(), "shut down");
  EXPECT_EQ(stop(ctx, domain, {}), StopOutcome::was_off);
}

TEST_F(Life, APausedMachineIsForcedOrRefused) {
  virt::pause(domain);
  try {
    stop(ctx, domain, {.grace = seconds(30), .may_force = false});
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), Code::refused);
    EXPECT_NE(std::string(e.what()).find("resume it first"), std::string::npos) << e.what();
  }
  EXPECT_EQ(stop(ctx, domain, {.grace = seconds(30)}), StopOutcome::forced);
  EXPECT_EQ(domain.reason(), "destroyed");
}

TEST_F(Life, NoGraceForcesAtOnce) { EXPECT_EQ(stop(ctx, domain, {.grace = milliseconds(0)}), StopOutcome::forced); }

TEST_F(Life, WaitingEndsWhenItIsThere) {
  using Kind = Milestone::Kind;
  EXPECT_EQ(wait_for(ctx, domain, {Kind::running}, seconds(30)), "");
  EXPECT_EQ(wait_for(ctx, domain, {Kind::ip}, seconds(30)), "192.168.122.3");
  try {
    wait_for(ctx, domain, {Kind::off}, milliseconds(50));
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), Code::timeout);
    EXPECT_NE(std::string(e.what()).find("'test' is not off"), std::string::npos) << e.what();
  }
  virt::power_off(domain);
  wait_for(ctx, domain, {Kind::off}, seconds(30));
  EXPECT_THROW(wait_for(ctx, domain, {Kind::agent}, seconds(30)), base::Error);
}

TEST_F(Life, WaitingCanBeCancelled) {
  source.request_stop();
  try {
    wait_for(ctx, domain, {Milestone::Kind::off}, seconds(30));
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), Code::cancelled);
  }
}

}  // namespace
}  // namespace muster::vm
