#include "cli/backup_metrics.h"

#include <ctime>
#include <functional>

#include <fmt/format.h>

#include "base/durable_file.h"
#include "cli/metrics_file.h"

namespace muster::cli {
namespace {

// Of the machines that a text is about.
std::vector<std::string> names_in(std::string_view text) {
  static constexpr std::string_view kKey = "muster_backup_last_status{name=\"";
  std::vector<std::string> names;
  for (std::size_t at = text.find(kKey); at != std::string_view::npos; at = text.find(kKey, at)) {
    std::string name;
    for (at += kKey.size(); at < text.size() && text[at] != '"' && text[at] != '\n'; ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      name += text[at];
    }
    names.push_back(std::move(name));
  }
  return names;
}

class Text {
 public:
  Text(const std::vector<BackupOutcome>& outcomes, std::string_view earlier) : outcomes_(outcomes), earlier_(earlier) {}

  // A line for each machine; none where `value` has nothing to say.
  using Value = std::function<std::string(const BackupOutcome&)>;
  void add(std::string_view name, std::string_view help, const Value& value) {
    std::string lines;
    for (const auto& outcome : outcomes_)
      if (const std::string text = value(outcome); !text.empty()) lines += key_of(name, outcome) + text + "\n";
    if (!lines.empty()) text_ += fmt::format("# HELP {} {}\n# TYPE {} gauge\n{}", name, help, name, lines);
  }
  // Stays as it was after a failure.
  void add_of_success(std::string_view name, std::string_view help, const Value& value) {
    add(name, help, [&](const BackupOutcome& outcome) {
      return outcome.success ? value(outcome) : value_in(earlier_, key_of(name, outcome));
    });
  }
  // What the disks were worth, as a label. It, too, stays as it was after a failure.
  void add_consistency(std::string_view name, std::string_view help) {
    std::string lines;
    for (const auto& outcome : outcomes_) {
      const std::string begin = fmt::format("{}{{name=\"{}\",consistency=\"", name, in_quotes(outcome.name));
      const std::string rest =
          outcome.success ? in_quotes(outcome.success->consistency) + "\"} 1" : value_in(earlier_, begin);
      if (!rest.empty() && !rest.starts_with('"')) lines += begin + rest + "\n";
    }
    if (!lines.empty()) text_ += fmt::format("# HELP {} {}\n# TYPE {} gauge\n{}", name, help, name, lines);
  }
  std::string take() { return std::move(text_); }

 private:
  static std::string key_of(std::string_view name, const BackupOutcome& outcome) {
    return fmt::format("{}{{name=\"{}\"}} ", name, in_quotes(outcome.name));
  }

  const std::vector<BackupOutcome>& outcomes_;
  std::string_view earlier_;
  std::string text_;
};

// What it was, and what came to it.
std::string counted_on(std::string_view earlier, const std::string& key, std::uint64_t more) {
  const std::string before = value_in(earlier, key);
  const bool number = !before.empty() && before.find_first_not_of("0123456789") == std::string::npos;
  return std::to_string((number ? std::stoull(before.substr(0, 18)) : 0) + more);
}

std::string job_text(const JobOutcome& job, std::string_view earlier) {
  if (job.name.empty()) return "";
  std::string text;
  const auto add = [&](std::string_view name, std::string_view help, std::string_view type,
                       const std::function<std::string(const std::string& key)>& value) {
    const std::string key = fmt::format("{}{{job=\"{}\"}} ", name, in_quotes(job.name));
    text += fmt::format("# HELP {} {}\n# TYPE {} {}\n{}{}\n", name, help, name, type, key, value(key));
  };
  add("muster_backup_job_last_run_timestamp_seconds", "Unix time at which the job's last run ended.", "gauge",
      [&](const std::string&) { return fmt::format("{:.3f}", job.ended); });
  add("muster_backup_job_last_status", "Its exit status.", "gauge",
      [&](const std::string&) { return std::to_string(job.status); });
  add("muster_backup_job_last_duration_seconds", "How long it took, with what followed the backups.", "gauge",
      [&](const std::string&) { return fmt::format("{:.3f}", job.duration); });
  add("muster_backup_job_skipped_total", "Runs that were skipped, for the one before was under way.", "counter",
      [&](const std::string& key) { return counted_on(earlier, key, job.skipped); });
  return text;
}

std::string time_text(const BackupOutcome& outcome) { return fmt::format("{:.3f}", outcome.attempt); }

}  // namespace

std::string backup_metrics_text(const RunOutcome& run, std::string_view earlier) {
  Text text(run.machines, earlier);
  const auto of_success = [&](std::string_view name, std::string_view help, std::uint64_t BackupSuccess::*field) {
    text.add_of_success(name, help, [&](const BackupOutcome& o) { return std::to_string((*o.success).*field); });
  };
  text.add("muster_backup_last_attempt_timestamp_seconds", "Unix time at which the last backup ended.", time_text);
  text.add("muster_backup_last_status", "Its exit status.",
           [](const BackupOutcome& outcome) { return std::to_string(outcome.status); });
  text.add_of_success("muster_backup_last_success_timestamp_seconds", "Unix time at which the last good one ended.",
                      time_text);
  of_success("muster_backup_last_bytes_read", "Bytes that it read from its source.", &BackupSuccess::bytes_read);
  of_success("muster_backup_last_bytes_new", "Bytes of these that the repository did not have.",
             &BackupSuccess::bytes_new);
  of_success("muster_backup_last_bytes_stored", "Bytes that the repository grew by.", &BackupSuccess::bytes_stored);
  text.add_of_success("muster_backup_last_duration_seconds", "How long it took.",
                      [](const BackupOutcome& outcome) { return fmt::format("{:.3f}", outcome.success->duration); });
  of_success("muster_backup_last_disks_read_whole",
             "Disks of which all was read, although only what changed was to be.", &BackupSuccess::whole_disks);
  text.add_consistency("muster_backup_last_consistency", "What the disks were worth then: 1, by the label.");
  return text.take() + job_text(run.job, earlier);
}

void write_backup_metrics(const std::string& path, RunOutcome run) {
  const std::string earlier = earlier_metrics(path);
  if (run.machines.empty())
    for (auto& name : names_in(earlier)) run.machines.push_back({.name = std::move(name), .status = run.job.status});
  run.job.ended = static_cast<double>(std::time(nullptr));
  for (auto& outcome : run.machines) outcome.attempt = run.job.ended;
  base::replace_file(path, backup_metrics_text(run, earlier), 0644);
}

}  // namespace muster::cli
