#include "cli/boot_metrics.h"

#include <functional>

#include <fmt/format.h>

#include "base/durable_file.h"
#include "cli/metrics_file.h"

namespace muster::cli {
namespace {

using Outcomes = std::vector<BootOutcomeOf>;

std::string key_of(std::string_view metric, const std::string& name) {
  return fmt::format("{}{{name=\"{}\"}} ", metric, in_quotes(name));
}

// A line for each machine; none where `value` has nothing to say.
std::string family(std::string_view metric, std::string_view help, const Outcomes& outcomes,
                   const std::function<std::string(const BootOutcomeOf& outcome, const std::string& key)>& value) {
  std::string lines;
  for (const auto& outcome : outcomes) {
    const std::string key = key_of(metric, outcome.name);
    if (const std::string text = value(outcome, key); !text.empty()) lines += key + text + "\n";
  }
  return lines.empty() ? "" : fmt::format("# HELP {} {}\n# TYPE {} gauge\n{}", metric, help, metric, lines);
}

std::string time_text(const backup::BootRecord& record) {
  return std::to_string(record.time.time_since_epoch().count());
}

std::string reached_text(const Outcomes& outcomes) {
  constexpr std::string_view kMetric = "muster_backup_boot_check_reached";
  std::string text =
      fmt::format("# HELP {} The last stage that it came to: 1, by the label.\n# TYPE {} gauge\n", kMetric, kMetric);
  for (const auto& outcome : outcomes)
    text += fmt::format("{}{{name=\"{}\",stage=\"{}\"}} 1\n", kMetric, in_quotes(outcome.name),
                        in_quotes(outcome.record.reached_last()));
  return text;
}

}  // namespace

std::string boot_metrics_text(const Outcomes& outcomes, std::string_view earlier) {
  if (outcomes.empty()) return "";
  return family("muster_backup_boot_check_success", "Whether the last try booted: 1 or 0.", outcomes,
                [](const auto& outcome, const auto&) { return std::string(outcome.record.booted ? "1" : "0"); }) +
         family("muster_backup_boot_check_last_attempt_timestamp_seconds", "Unix time of the last try.", outcomes,
                [](const auto& outcome, const auto&) { return time_text(outcome.record); }) +
         family("muster_backup_boot_check_last_success_timestamp_seconds", "Unix time of the last try that booted.",
                outcomes,
                [&](const auto& outcome, const auto& key) {
                  return outcome.record.booted ? time_text(outcome.record) : value_in(earlier, key);
                }) +
         family("muster_backup_boot_check_duration_seconds", "How long the last try took.", outcomes,
                [](const auto& outcome, const auto&) {
                  return fmt::format("{:.3f}", std::chrono::duration<double>(outcome.record.duration).count());
                }) +
         reached_text(outcomes);
}

void write_boot_metrics(const std::string& path, const Outcomes& outcomes) {
  base::replace_file(path, boot_metrics_text(outcomes, earlier_metrics(path)), 0644);
}

}  // namespace muster::cli
