// The restore points of an opened repository, with their labels: what list, show, tag, restore and others choose from.
// Main's thread alone.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backup/boot_record.h"
#include "backup/labels.h"
#include "backup/restore_point.h"
#include "cli/backup_repository.h"

namespace muster::cli {

struct LabelledPoints {
  std::vector<backup::ListedPoint> points;  // by time
  backup::LabelChanges changes;
  backup::BootRecords boots;

  // nullptr: it was never booted for a try.
  const backup::BootRecord* boot(const backup::ListedPoint& listed) const {
    return backup::boot_record_of(listed.point, boots);
  }
  backup::Labels labels(const backup::ListedPoint& listed) const { return backup::labels_of(listed.point, changes); }
};
// The good ones. Warns of others.
LabelledPoints read_points(const OpenedRepository& opened);

// Before anything is read: what a host makes that may not is believed by nobody. Throws base::Error{key}.
void check_may_make(const OpenedRepository& opened, const std::string& name);

// A glob over names, as `web*`; empty: all.
std::function<bool(const std::string& name)> name_glob(const std::string& glob);

}  // namespace muster::cli
