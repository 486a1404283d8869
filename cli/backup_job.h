// A run of a job that is scheduled: only one at a time, spread over a while. Skipped runs are counted, for the metrics
// of the next that is not. Main's thread alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "cli/backup_metrics.h"
#include "cli/program.h"

namespace muster::cli {

class JobRun {
 public:
  // Of --job; nullopt: another run of it is under way, and this one is skipped. Without --job a run like any other.
  // Waits for --splay. Throws base::Error{usage, io, cancelled}.
  static std::optional<JobRun> begin(const Program& program);

  // Empty without --job.
  const std::string& name() const { return name_; }
  // Runs that were skipped since somebody asked.
  std::uint64_t take_skipped() const;

 private:
  std::string name_, directory_;
  base::UniqueFd lock_;
};

// For the metrics; takes the skipped runs.
JobOutcome job_outcome(const JobRun& job, int status, base::TimePoint began);

}  // namespace muster::cli
