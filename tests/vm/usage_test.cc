// Rates out of counters: made ones, for domains of libvirt's test driver.
#include "vm/usage.h"

#include <gtest/gtest.h>

#include "virt/connection.h"

namespace muster::vm {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSecondNs = 1'000'000'000;

struct Usages : testing::Test {
  virt::Connection connection{"test:///default"};

  // A machine with two processors, one disk and one interface, whose counters all stand at `count` seconds' worth.
  Sample sample(std::chrono::milliseconds at, std::uint64_t count) const {
    virt::DomainStatistics machine;
    machine.domain = connection.domain("test");
    machine.state = virt::State::running;
    machine.cpus = 2;
    machine.cpu_ns = count * kSecondNs;
    machine.steal_ns = count * kSecondNs / 4;
    machine.disks.push_back({.target = "vda",
                             .path = "/vda.qcow2",
                             .read_bytes = count * 1000,
                             .read_requests = count * 10,
                             .written_bytes = count * 500,
                             .write_requests = std::nullopt,
                             .capacity_bytes = {},
                             .allocation_bytes = {},
                             .physical_bytes = {}});
    machine.interfaces.push_back({.device = "vnet0", .received_bytes = count * 100, .sent_bytes = count * 50});
    Sample sample{.at = base::TimePoint(at), .machines = {machine}, .node = {}};
    sample.node.user_ns = count * 2 * kSecondNs;
    sample.node.system_ns = count * kSecondNs;
    sample.node.idle_ns = count * 6 * kSecondNs;
    sample.node.io_wait_ns = count * kSecondNs;
    return sample;
  }
};

TEST_F(Usages, RatesAreASecondsAndPercentagesOfOneProcessor) {
  const auto before = sample(10s, 100), after = sample(12s, 102);
  const auto found = usage(&before, after);
  EXPECT_EQ(found.interval, 2s);
  ASSERT_EQ(found.machines.size(), 1U);
  const auto& machine = found.machines[0];
  EXPECT_DOUBLE_EQ(machine.cpu_percent.value(), 100);
  EXPECT_DOUBLE_EQ(machine.cpu_share_percent.value(), 50);
  EXPECT_DOUBLE_EQ(machine.steal_percent.value(), 25);
  EXPECT_DOUBLE_EQ(machine.disks.at(0).read_bytes.value(), 1000);
  EXPECT_DOUBLE_EQ(machine.disks.at(0).read_requests.value(), 10);
  EXPECT_DOUBLE_EQ(machine.disks.at(0).written_bytes.value(), 500);
  EXPECT_FALSE(machine.disks.at(0).write_requests) << "the driver does not count them";
  EXPECT_DOUBLE_EQ(machine.interfaces.at(0).received_bytes.value(), 100);
  EXPECT_DOUBLE_EQ(machine.interfaces.at(0).sent_bytes.value(), 50);
  EXPECT_DOUBLE_EQ(found.node.cpu_percent.value(), 30);
  EXPECT_DOUBLE_EQ(found.node.io_wait_percent.value(), 10);
}

TEST_F(Usages, ProcessorsOfTheMachineAreNeverMoreThanFull) {
  const auto before = sample(10s, 100), after = sample(11s, 103);
  const auto machine = usage(&before, after).machines.at(0);
  EXPECT_DOUBLE_EQ(machine.cpu_percent.value(), 300) << "the emulator's own threads count, too";
  EXPECT_DOUBLE_EQ(machine.cpu_share_percent.value(), 100);
}

TEST_F(Usages, AMachineStartedAnewHasNoRates) {
  const auto before = sample(10s, 100), after = sample(11s, 2);
  const auto machine = usage(&before, after).machines.at(0);
  EXPECT_FALSE(machine.cpu_percent || machine.steal_percent || machine.cpu_share_percent);
  EXPECT_FALSE(machine.disks.at(0).read_bytes || machine.interfaces.at(0).received_bytes);
}

TEST_F(Usages, WhatWasNotThereBeforeHasNoRates) {
  auto before = sample(10s, 100), after = sample(11s, 101);
  after.machines[0].disks[0].target = "vdb";
  const auto plugged = usage(&before, after).machines.at(0);
  EXPECT_TRUE(plugged.cpu_percent);
  EXPECT_FALSE(plugged.disks.at(0).read_bytes);
  before.machines.clear();
  EXPECT_FALSE(usage(&before, after).machines.at(0).cpu_percent);
  EXPECT_FALSE(usage(nullptr, after).node.cpu_percent);
  EXPECT_FALSE(usage(&after, after).machines.at(0).cpu_percent) << "no time has passed";
}

TEST_F(Usages, ARealSampleHasMachinesAndTheirHost) {
  const auto taken = take_sample({}, connection);
  ASSERT_EQ(taken.machines.size(), 1U);
  EXPECT_FALSE(taken.machines[0].stale);
  EXPECT_EQ(taken.node.cpus, 16U);
}

}  // namespace
}  // namespace muster::vm
