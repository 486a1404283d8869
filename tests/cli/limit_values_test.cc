#include "cli/limit_values.h"

#include <functional>

#include <gtest/gtest.h>

#include "base/error.h"
#include "cli/limit_profiles.h"

namespace muster::cli {
namespace {

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), base::Code::usage);
    return e.what();
  }
  return "taken";
}

TEST(LimitValues, AreReadAsTheyAreWritten) {
  LimitValues limits;
  set_limit(limits, "cpu-quota", "150%");
  set_limit(limits, "cpu-pin", "0-3,8");
  set_limit(limits, "memory-limit", "4G");
  EXPECT_EQ(limits.cpu_quota_percent, 150U);
  EXPECT_EQ(limits.memory_bytes, 4ULL << 30);
  EXPECT_EQ(disk_rates("iops:500,bps-read:50M"), (Rates{{"iops", 500}, {"bps-read", 50U << 20}}));
  EXPECT_EQ(net_rates("in:1M,out:none"), (Rates{{"in", 1U << 20}, {"out", 0}}));
  EXPECT_EQ(net_rates("none"), (Rates{{"in", 0}, {"out", 0}}));
  EXPECT_EQ(disk_rates("none").size(), 6U);
}

TEST(LimitValues, SayWhatIsWrongWithThem) {
  LimitValues limits;
  EXPECT_NE(refusal([&] { set_limit(limits, "cpu-quota", "150"); }).find("as 150%, or none"), std::string::npos);
  EXPECT_NE(refusal([&] { set_limit(limits, "cpu-pin", "all"); }).find("or none"), std::string::npos);
  EXPECT_NE(refusal([&] { disk_rates("iops"); }).find("write NAME:VALUE"), std::string::npos);
  EXPECT_NE(refusal([&] { disk_rates("ips:3"); }).find("no limit 'ips'"), std::string::npos);
  EXPECT_NE(refusal([&] { disk_rates("bps:3,bps-write:3"); }).find("both directions"), std::string::npos);
  EXPECT_NE(refusal([&] { net_rates("in:1000"); }).find("whole number of KiB"), std::string::npos);
}

LimitProfiles profiles(const std::string& text) {
  return limit_profiles(*yaml::parse(text, "config.yaml").root.find(kProfilesKey), "config.yaml");
}

TEST(LimitProfiles, AreReadFromTheConfiguration) {
  auto all = profiles(
      "profiles:\n"
      "  bronze: {cpu_quota: 50%, disks: {iops: 100, bps_read: 5M}, interfaces: {in: 1M}}\n"
      "  free: {cpu_quota: none, cpu_shares: 1024, cpu_pin: 0-1, memory_limit: none}\n");
  EXPECT_EQ(all.size(), 2U);
  LimitValues& bronze = all["bronze"];
  EXPECT_EQ(bronze.disks.at("*"), (Rates{{"iops", 100}, {"bps-read", 5U << 20}}));
  EXPECT_EQ(all["free"].cpu_quota_percent, 0U);
  LimitValues given;
  given.cpu_quota_percent = 80;
  bronze.take(given);
  EXPECT_EQ(bronze.cpu_quota_percent, 80U) << "what is said on the command line wins";
  EXPECT_EQ(bronze.interfaces.at("*").at("in"), 1U << 20);
}

TEST(LimitProfiles, SayWhereTheyAreWrong) {
  EXPECT_EQ(refusal([] { profiles("profiles: [a]\n"); }).find("config.yaml:1:11: "), 0U);
  EXPECT_EQ(refusal([] { profiles("profiles:\n  a:\n    cpu: 1\n"); }).find("config.yaml:3:5: unknown key 'cpu'"), 0U);
  EXPECT_EQ(refusal([] { profiles("profiles:\n  a:\n    cpu_quota: 3\n"); }).find("config.yaml:3:16: '3': write"), 0U);
  EXPECT_EQ(refusal([] { profiles("profiles:\n  a:\n    disks: {iops: x}\n"); }).find("config.yaml:3:19: "), 0U);
  EXPECT_EQ(refusal([] { profiles("profiles:\n  a:\n    disks: 5\n"); }).find("config.yaml:3:12: write limits as"), 0U);
}

}  // namespace
}  // namespace muster::cli
