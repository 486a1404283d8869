// The metrics of tries to boot restore points.
#include "cli/boot_metrics.h"

#include <gtest/gtest.h>

namespace muster::cli {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

BootOutcomeOf outcome(const std::string& name, std::int64_t time, bool booted) {
  BootOutcomeOf made{.name = name, .record = {}};
  made.record.time = std::chrono::sys_seconds(std::chrono::seconds(time));
  made.record.booted = booted;
  made.record.duration = std::chrono::milliseconds(1500);
  if (booted) made.record.reached = {{"firmware", {}}, {"agent", {}}};
  return made;
}

TEST(BootMetrics, TellHowFarItCameAndWhen) {
  const std::string text = boot_metrics_text({outcome("web01", 1000, true)}, "");
  for (const char* line : {"muster_backup_boot_check_success{name=\"web01\"} 1\n",
                           "muster_backup_boot_check_last_attempt_timestamp_seconds{name=\"web01\"} 1000\n",
                           "muster_backup_boot_check_last_success_timestamp_seconds{name=\"web01\"} 1000\n",
                           "muster_backup_boot_check_duration_seconds{name=\"web01\"} 1.500\n",
                           "muster_backup_boot_check_reached{name=\"web01\",stage=\"agent\"} 1\n"})
    EXPECT_TRUE(has(text, line)) << line << text;
}

TEST(BootMetrics, AFailureKeepsTheTimeOfTheLastSuccess) {
  const std::string before = boot_metrics_text({outcome("a\"b", 1000, true)}, "");
  const std::string text = boot_metrics_text({outcome("a\"b", 2000, false), outcome("new", 2000, false)}, before);
  EXPECT_TRUE(has(text, "last_success_timestamp_seconds{name=\"a\\\"b\"} 1000\n")) << text;
  EXPECT_TRUE(has(text, "last_attempt_timestamp_seconds{name=\"a\\\"b\"} 2000\n")) << text;
  EXPECT_TRUE(has(text, "success{name=\"new\"} 0\n")) << text;
  EXPECT_FALSE(has(text, "last_success_timestamp_seconds{name=\"new\"}")) << text;
  EXPECT_TRUE(has(text, "reached{name=\"new\",stage=\"nothing\"} 1\n")) << text;
}

TEST(BootMetrics, NothingTriedIsNothingTold) { EXPECT_EQ(boot_metrics_text({}, "x"), ""); }

}  // namespace
}  // namespace muster::cli
