#include "cli/metrics_text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/unique_fd.h"

namespace muster::cli {
namespace {

using nlohmann::json;

constexpr double kNow = 1'800'000'000;

json running(const std::string& name) {
  return {{"name", name},
          {"state", "running"},
          {"cpus", 2},
          {"cpu_seconds", 12.5},
          {"memory_bytes", 18'446'744'073'709'551'615ULL},
          {"disks", {{{"target", "vda"}, {"read_bytes", 7}}}},
          {"interfaces", {{{"device", "vnet0"}, {"received_bytes", 9}, {"sent_drops", 0}}}}};
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(MetricsText, AMachineHasItsValuesWithUnitsAndHelp) {
  const json hypervisor = {{"uri", "qemu:///system"},
                           {"machines", {running("web01")}},
                           {"node", {{"cpus", 16}, {"memory_bytes", 1024}, {"user_seconds", 3.25}}}};
  const std::string text = metrics_text({hypervisor}, {}, kNow);
  const std::string labels = "{vm=\"web01\",hypervisor=\"qemu:///system\"";
  const std::vector<std::string> expected = {
      "# TYPE muster_vm_up gauge",
      "muster_vm_cpus" + labels + "} 2",
      "# HELP muster_vm_cpu_seconds_total Processor time used, emulator included.",
      "# TYPE muster_vm_cpu_seconds_total counter",
      "muster_vm_up" + labels + "} 1",
      "muster_vm_stale_seconds" + labels + "} 0",
      "muster_vm_last_answer_timestamp_seconds" + labels + "} 1800000000",
      "muster_vm_state" + labels + ",state=\"running\"} 1",
      "muster_vm_state" + labels + ",state=\"shut off\"} 0",
      "muster_vm_cpu_seconds_total" + labels + "} 12.5",
      "muster_vm_memory_bytes" + labels + "} 18446744073709551615",
      "muster_vm_disk_read_bytes_total" + labels + ",device=\"vda\"} 7",
      "muster_vm_network_receive_bytes_total" + labels + ",device=\"vnet0\"} 9",
      "muster_vm_network_transmit_drops_total" + labels + ",device=\"vnet0\"} 0",
      std::string("muster_hypervisor_up{hypervisor=\"qemu:///system\"} 1"),
      std::string("muster_hypervisor_cpu_seconds_total{hypervisor=\"qemu:///system\",mode=\"user\"} 3.25"),
      std::string("muster_stats_timestamp_seconds 1800000000")};
  for (const auto& line : expected) EXPECT_TRUE(has_line(text, line)) << line << "\nis not in\n" << text;
}

TEST(MetricsText, LinesOfAFamilyStandTogether) {
  const json hypervisor = {{"uri", "a"}, {"machines", {running("b"), running("c")}}, {"node", json::object()}};
  const json other = {{"uri", "d"}, {"machines", {running("e")}}, {"node", json::object()}};
  const std::string text = metrics_text({hypervisor, other}, {}, kNow);
  const auto first = text.find("\nmuster_vm_cpus{vm=\"b\"");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(text.find("# ", first), text.find("\n#", text.find("muster_vm_cpus{vm=\"e\"")) + 1);
}

TEST(MetricsText, LabelsAreEscaped) {
  const json hypervisor = {
      {"uri", "u"}, {"machines", {{{"name", "a\"b\\c\nd"}, {"state", "shut off"}}}}, {"node", json::object()}};
  EXPECT_TRUE(has_line(metrics_text({hypervisor}, {}, kNow), R"(muster_vm_up{vm="a\"b\\c\nd",hypervisor="u"} 0)"));
}

TEST(MetricsText, WhoDoesNotAnswerIsDownAndGetsStale) {
  json hanging = running("web01");
  hanging["stale"] = true;
  const json hypervisor = {{"uri", "u"}, {"machines", {hanging, running("web02")}}, {"node", json::object()}};
  const json good = {{"uri", "u"}, {"machines", {running("web01"), running("web02")}}, {"node", json::object()}};
  const std::string before = metrics_text({good}, {}, kNow - 90);
  const auto earlier = last_answers(before);
  EXPECT_EQ(earlier.size(), 2U);
  const std::string text = metrics_text({hypervisor}, earlier, kNow);
  EXPECT_TRUE(has_line(text, "muster_vm_up{vm=\"web01\",hypervisor=\"u\"} 0")) << text;
  EXPECT_TRUE(has_line(text, "muster_vm_stale_seconds{vm=\"web01\",hypervisor=\"u\"} 90")) << text;
  EXPECT_TRUE(has_line(text, "muster_vm_up{vm=\"web02\",hypervisor=\"u\"} 1")) << text;
  EXPECT_EQ(last_answers(text).at("vm=\"web01\",hypervisor=\"u\""), kNow - 90) << "kept for the next time";
}

TEST(MetricsText, AHypervisorThatIsDownTakesAllItsMachinesAlong) {
  const json down = {{"uri", "u"}, {"error", "no answer"}, {"missing", {"web01"}}};
  const LastAnswers earlier{{"vm=\"web02\",hypervisor=\"u\"", kNow - 5}, {"vm=\"x\",hypervisor=\"other\"", kNow}};
  const std::string text = metrics_text({down}, earlier, kNow);
  EXPECT_TRUE(has_line(text, "muster_hypervisor_up{hypervisor=\"u\"} 0")) << text;
  EXPECT_TRUE(has_line(text, "muster_vm_up{vm=\"web01\",hypervisor=\"u\"} 0")) << text;
  EXPECT_TRUE(has_line(text, "muster_vm_stale_seconds{vm=\"web01\",hypervisor=\"u\"} +Inf")) << text;
  EXPECT_TRUE(has_line(text, "muster_vm_stale_seconds{vm=\"web02\",hypervisor=\"u\"} 5")) << "no inventory names it";
  EXPECT_EQ(text.find("\"other\""), std::string::npos);
}

TEST(MetricsText, FilesOfOthersTellNothing) {
  EXPECT_TRUE(last_answers("").empty());
  EXPECT_TRUE(
      last_answers("muster_vm_last_answer_timestamp_seconds{x\nmuster_vm_last_answer_timestamp_seconds{} x\n").empty());
}

TEST(MetricsText, EveryMetricIsInTheManual) {
  const std::string page = base::read_file(std::string(MUSTER_SOURCE_DIR) + "/man/muster-vm.1", 1U << 20);
  for (const auto& family : metric_families()) {
    EXPECT_NE(page.find("\n.It Va " + std::string(family.name) + "\n"), std::string::npos) << family.name;
    EXPECT_EQ(family.type == "counter", family.name.ends_with("_total")) << family.name;
  }
}

}  // namespace
}  // namespace muster::cli
