// Limits against libvirt's own test driver, which keeps those of memory and interfaces.
#include "vm/limits.h"

#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "base/error.h"
#include "vm/cpu_list.h"

namespace muster::vm {
namespace {

using base::Code;

constexpr std::uint64_t kMib = 1U << 20;

struct Limits : testing::Test {
  virt::Connection connection{"test:///default"};
  virt::Domain domain = connection.domain("test");  // up to 8 GiB, vda, one interface

  void set(const LimitChange& change) { set_limits(connection, domain, change); }
  // `now/next start`.
  std::string shown(const std::string& name, const std::string& device = "") {
    for (const auto& limit : limits(domain))
      if (limit.name == name && (device.empty() || limit.device == device))
        return std::to_string(std::get<std::uint64_t>(*limit.now)) + "/" +
               std::to_string(std::get<std::uint64_t>(*limit.next_start));
    return "not there";
  }
  std::string refusal(const LimitChange& change, Code code) {
    try {
      set(change);
    } catch (const base::Error& e) {
      EXPECT_EQ(e.code(), code) << e.what();
      return e.what();
    }
    return "";
  }
};

TEST_F(Limits, OfAnInterfaceGoByNumberOrMac) {
  LimitChange change;
  change.interfaces["1"] = {.in_bytes = kMib, .out_bytes = {}};
  set(change);
  EXPECT_EQ(shown("in"), "1048576/1048576");
  EXPECT_EQ(shown("out"), "0/0");
}

TEST_F(Limits, OfMemoryIsNeverBelowTheMachines) {
  LimitChange change;
  change.memory_bytes = 16384 * kMib;
  set(change);
  EXPECT_EQ(shown("memory-limit"), "17179869184/17179869184");
  change.memory_bytes = 4096 * kMib;
  EXPECT_NE(refusal(change, Code::refused).find("the host would kill it"), std::string::npos);
  EXPECT_EQ(shown("memory-limit"), "17179869184/17179869184");
  change.memory_bytes = 0;
  set(change);
  EXPECT_EQ(shown("memory-limit"), "0/0");
}

TEST_F(Limits, WhatTheDriverCannotDoIsItsOwnWords) {
  LimitChange change;
  change.memory_bytes = 16384 * kMib;
  change.cpu_pin = "0-1";
  EXPECT_NE(refusal(change, Code::unsupported).find("unsupported flags"), std::string::npos);
  change.cpu_pin = {};
  change.cpu_quota_percent = 150;
  EXPECT_FALSE(refusal(change, Code::unsupported).empty());
  EXPECT_EQ(shown("cpu-quota"), "not there");
}

TEST_F(Limits, ADeviceThatIsNotThereChangesNothing) {
  LimitChange change;
  change.memory_bytes = 16384 * kMib;
  change.disks["vdz"] = {
      .iops = 1, .read_iops = {}, .write_iops = {}, .bytes = {}, .read_bytes = {}, .write_bytes = {}};
  EXPECT_EQ(refusal(change, Code::not_found), "'test' has no disk 'vdz'; there is vda");
  EXPECT_EQ(shown("memory-limit"), "0/0");
}

TEST(CpuList, IsWrittenAsTheKernelDoes) {
  EXPECT_EQ(format_cpu_list(parse_cpu_list("8,0-2,3")), "0-3,8");
  EXPECT_EQ(format_cpu_list({}), "");
  for (const char* wrong : {"", "a", "3-1", "0,", "5000"}) EXPECT_THROW(parse_cpu_list(wrong), base::Error) << wrong;
}

}  // namespace
}  // namespace muster::vm
