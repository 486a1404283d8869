// What came of the backups of one machine, for the textfile collector of Prometheus's node exporter. Names and meanings
// stand in muster-backup(1). Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster::cli {

struct BackupSuccess {
  std::uint64_t bytes_read = 0, bytes_new = 0, bytes_stored = 0;
  double duration = 0;  // seconds
};

struct BackupOutcome {
  std::string name;
  double attempt = 0;  // Unix time at its end
  int status = 0;      // the exit status
  std::optional<BackupSuccess> success{};
};

// `earlier`: what the file held. After a failure, what it said of the last success stays.
std::string backup_metrics_text(const BackupOutcome& outcome, std::string_view earlier);

}  // namespace muster::cli
