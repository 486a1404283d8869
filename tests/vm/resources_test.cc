// CPUs and memory against libvirt's own test driver, whose guests take everything at once.
#include <functional>

#include <gtest/gtest.h>

#include "base/error.h"
#include "virt/connection.h"
#include "virt/lifecycle.h"
#include "vm/set_resources.h"

namespace muster::vm {
namespace {

using base::Code;
using virt::When;
using Setting = Applied::Setting;

constexpr std::uint64_t kGib = 1ULL << 30;

struct Resources : testing::Test {
  base::Context ctx;
  virt::Connection connection{"test:///default"};
  virt::Domain domain = connection.domain("test");  // 2 CPUs, 2 of 8 GiB

  std::vector<Applied> set(const ResourceChange& change) {
    return set_resources(ctx, domain, change, std::chrono::seconds(1));
  }
};

std::optional<Code> code_of(const std::function<void()>& action, const std::string& words) {
  try {
    action();
  } catch (const base::Error& e) {
    EXPECT_NE(std::string(e.what()).find(words), std::string::npos) << e.what();
    return e.code();
  }
  return std::nullopt;
}

TEST_F(Resources, WhatARunningMachineCanTakeItGetsNow) {
  const auto changes = set({.cpus = {}, .max_cpus = {}, .memory_bytes = 3 * kGib, .max_memory_bytes = {}});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].setting, Setting::memory);
  EXPECT_TRUE(changes[0].now && changes[0].next_start);
  EXPECT_EQ(changes[0].running, 3 * kGib);
  EXPECT_EQ(virt::resources(domain, When::next_start).memory_bytes, 3 * kGib);
}

TEST_F(Resources, WhatIsBeyondItsMaximumWaitsForTheNextStart) {
  const auto changes = set({.cpus = 8, .max_cpus = {}, .memory_bytes = {}, .max_memory_bytes = {}});
  ASSERT_EQ(changes.size(), 2U) << "the maximum grows with it";
  EXPECT_EQ(changes[0].setting, Setting::max_cpus);
  EXPECT_EQ(changes[0].wanted, 8U);
  EXPECT_EQ(changes[1].setting, Setting::cpus);
  EXPECT_FALSE(changes[1].now);
  EXPECT_TRUE(changes[1].next_start);
  EXPECT_EQ(changes[1].reason, "the running machine has at most 2");
  EXPECT_EQ(virt::resources(domain, When::next_start).cpus, 8U);
  EXPECT_EQ(virt::resources(domain, When::now).cpus, 2U);
  virt::power_off(domain);
  virt::start(domain);
  EXPECT_EQ(virt::resources(domain, When::now).cpus, 8U);
}

TEST_F(Resources, MaximumAndValueMoveTogetherBothWays) {
  set({.cpus = 4, .max_cpus = 6, .memory_bytes = 4 * kGib, .max_memory_bytes = 16 * kGib});
  auto defined = virt::resources(domain, When::next_start);
  EXPECT_EQ(defined.max_cpus, 6U);
  EXPECT_EQ(defined.max_memory_bytes, 16 * kGib);
  set({.cpus = 1, .max_cpus = 2, .memory_bytes = kGib, .max_memory_bytes = kGib});
  defined = virt::resources(domain, When::next_start);
  EXPECT_EQ(defined.cpus, 1U);
  EXPECT_EQ(defined.max_cpus, 2U);
  EXPECT_EQ(defined.max_memory_bytes, kGib);
}

TEST_F(Resources, AMachineThatIsOffGetsThemWithItsNextStart) {
  virt::power_off(domain);
  const auto changes = set({.cpus = 1, .max_cpus = {}, .memory_bytes = {}, .max_memory_bytes = {}});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_TRUE(!changes[0].now && changes[0].next_start && !changes[0].running && changes[0].reason.empty());
}

TEST_F(Resources, WhatMakesNoSenseChangesNothing) {
  EXPECT_EQ(
      code_of([&] { set({.cpus = 1, .max_cpus = {}, .memory_bytes = 2048, .max_memory_bytes = {}}); }, "write 2G"),
      Code::usage);
  EXPECT_EQ(code_of([&] { set({.cpus = 4, .max_cpus = 2, .memory_bytes = {}, .max_memory_bytes = {}}); },
                    "--cpus 4 is more than --max-cpus 2"),
            Code::usage);
  EXPECT_EQ(
      code_of([&] { set({.cpus = {}, .max_cpus = 1, .memory_bytes = {}, .max_memory_bytes = {}}); }, "give --cpus too"),
      Code::refused);
  EXPECT_EQ(virt::resources(domain, When::next_start).cpus, 2U);
}

}  // namespace
}  // namespace muster::vm
