#include "cli/backup_metrics.h"

#include <functional>
#include <vector>

#include <fmt/format.h>

namespace muster::cli {
namespace {

std::string in_quotes(std::string_view text) {
  std::string label;
  for (const char c : text) label += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
  return label;
}

// The value on the line that begins with `key`; empty where there is none.
std::string value_in(std::string_view text, const std::string& key) {
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    const std::string_view line = text.substr(from, end - from);
    if (line.starts_with(key)) return std::string(line.substr(key.size()));
    from = end + 1;
  }
  return "";
}

class Text {
 public:
  Text(const BackupOutcome& outcome, std::string_view earlier) : outcome_(outcome), earlier_(earlier) {}

  void add(std::string_view name, std::string_view help, const std::string& value) {
    if (!value.empty())
      text_ += fmt::format("# HELP {} {}\n# TYPE {} gauge\n{}{}\n", name, help, name, key_of(name), value);
  }
  // Stays as it was after a failure.
  void add_of_success(std::string_view name, std::string_view help,
                      const std::function<std::string(const BackupSuccess&)>& value) {
    add(name, help, outcome_.success ? value(*outcome_.success) : value_in(earlier_, key_of(name)));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string key_of(std::string_view name) const {
    return fmt::format("{}{{name=\"{}\"}} ", name, in_quotes(outcome_.name));
  }

  const BackupOutcome& outcome_;
  std::string_view earlier_;
  std::string text_;
};

}  // namespace

std::string backup_metrics_text(const BackupOutcome& outcome, std::string_view earlier) {
  Text text(outcome, earlier);
  const std::string ended = fmt::format("{:.3f}", outcome.attempt);
  text.add("muster_backup_last_attempt_timestamp_seconds", "Unix time at which the last backup ended.", ended);
  text.add("muster_backup_last_status", "Its exit status.", std::to_string(outcome.status));
  text.add_of_success("muster_backup_last_success_timestamp_seconds", "Unix time at which the last good one ended.",
                      [&](const BackupSuccess&) { return std::string(ended); });
  text.add_of_success("muster_backup_last_bytes_read", "Bytes that it read from its source.",
                      [](const BackupSuccess& success) { return std::to_string(success.bytes_read); });
  text.add_of_success("muster_backup_last_bytes_new", "Bytes of these that the repository did not have.",
                      [](const BackupSuccess& success) { return std::to_string(success.bytes_new); });
  text.add_of_success("muster_backup_last_bytes_stored", "Bytes that the repository grew by.",
                      [](const BackupSuccess& success) { return std::to_string(success.bytes_stored); });
  text.add_of_success("muster_backup_last_duration_seconds", "How long it took.",
                      [](const BackupSuccess& success) { return fmt::format("{:.3f}", success.duration); });
  return text.take();
}

}  // namespace muster::cli
