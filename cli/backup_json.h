// Restore points as messages of --json have them (muster-json(7)). Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "backup/boot_record.h"
#include "backup/labels.h"
#include "backup/restore_point.h"
#include "cli/backup_metrics.h"

namespace muster::cli {

// Of `backup list`, `show` and `create`.
nlohmann::json point_json(const backup::RestorePoint& point);
// `boot`: nullptr where it was never tried.
nlohmann::json point_json(const backup::ListedPoint& listed, const backup::Labels& labels,
                          const backup::BootRecord* boot);
// Of a restore point that was made, for the metrics.
BackupSuccess success_of(const backup::RestorePoint& point);
// Of a try to boot one.
nlohmann::json boot_json(const backup::BootRecord& record);
}  // namespace muster::cli
