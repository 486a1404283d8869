// Disks of one restore point on their way into files: what restores have in common. Main's thread alone.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "backup/index.h"
#include "backup/lease.h"
#include "backup/restore.h"
#include "backup/restore_point.h"
#include "cli/backup_repository.h"
#include "cli/backup_target.h"
#include "cli/program.h"

namespace muster::cli {

struct RestoreStep {
  const backup::DiskPoint* disk;
  std::unique_ptr<RestoreTarget> target;
};

// What the options say of how it is done.
struct RestoreManner {
  unsigned workers = 0;
  std::uint64_t bytes_per_second = 0;
};
// Throws base::Error{usage}.
RestoreManner restore_manner(const Settings& settings);

// Throws base::Error{key} for a key that reads no data.
void check_may_read(const OpenedRepository& opened);

class Restoration {
 public:
  // All outlive it. The restore point is held, so that no prune lets go of it.
  Restoration(const Program& program, const OpenedRepository& opened, const backup::ListedPoint& listed,
              const RestoreManner& manner);

  // Every disk; one that cannot be written does not keep the others from being there: then a part failed. Returns the
  // exit status. Throws where the first fails.
  int restore_all(std::vector<RestoreStep>& steps);
  const backup::Index& index() const { return *index_; }

 private:
  int restore(RestoreStep& step);
  backup::RestoreCounts write(const backup::RestoreRequest& request, RestoreTarget& target);
  bool is_right(const backup::RestoreRequest& request, RestoreTarget& target);
  void report(const RestoreStep& step, const backup::RestoreCounts& counts, std::chrono::milliseconds took);

  const Program& program_;
  const RestoreManner manner_;
  const OpenedRepository& opened_;
  const backup::ListedPoint& listed_;
  std::unique_ptr<backup::Lease> lease_;
  std::unique_ptr<backup::Index> index_;
};

// The plan of --dry-run, a line and a result for each disk.
void show_restore_plan(const Program& program, const backup::ListedPoint& listed,
                       const std::vector<RestoreStep>& steps);
// All are asked about before the first is written. Throws base::Error{refused}.
void confirm_overwriting(const Program& program, const std::vector<RestoreStep>& steps);

}  // namespace muster::cli
