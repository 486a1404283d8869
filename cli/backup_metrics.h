// What came of the backups of machines, for the textfile collector of Prometheus's node exporter. Names and meanings
// stand in muster-backup(1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::cli {

struct BackupSuccess {
  std::uint64_t bytes_read = 0, bytes_new = 0, bytes_stored = 0;
  double duration = 0;  // seconds
  std::string consistency{};
  std::uint64_t whole_disks = 0;  // that were read whole although only what changed should have been
};

struct BackupOutcome {
  std::string name;
  double attempt = 0;  // Unix time at its end
  int status = 0;      // the exit status
  std::optional<BackupSuccess> success{};
};

// Of a job of `backup schedule`, as a whole.
struct JobOutcome {
  std::string name;           // empty: it was none
  std::uint64_t skipped = 0;  // runs since the last one, because that was still under way
  int status = 0;
  double ended = 0;     // Unix time
  double duration = 0;  // seconds
};

struct RunOutcome {
  std::vector<BackupOutcome> machines;
  JobOutcome job{};
};

// `earlier`: what the file held. After a failure, what it said of the last success stays. Pure.
std::string backup_metrics_text(const RunOutcome& run, std::string_view earlier);

// Replaces the file by what came of one run, which ends now: machines that are not in it are not in the file any more.
// A run that failed before it had any is one of all that were in the file. Throws base::Error{io, no_space}.
void write_backup_metrics(const std::string& path, RunOutcome run);

}  // namespace muster::cli
