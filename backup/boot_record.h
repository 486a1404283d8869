// What came of booting restore points for a try: a signed object of its own beside each point (muster-repository(7)).
// The last one counts. Not thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backup/repository.h"
#include "backup/restore_point.h"

namespace muster::backup {

// How far it came: `firmware`, `kernel`, `agent`, `ssh`, `serial`, `script`.
struct BootStage {
  std::string stage;
  std::chrono::milliseconds after{};  // since its start
};

struct BootRecord {
  std::chrono::sys_seconds time;  // when it was begun, by the clock of who did it
  bool booted = false;            // it reached what was wanted, and the script, if any, ended well
  std::string wanted;             // `agent`, `ssh`, `serial:EXPRESSION`
  std::vector<BootStage> reached;
  std::string failure{};  // why it did not boot, in words
  std::optional<int> script_status{};
  std::chrono::milliseconds duration{};
  std::string hypervisor;  // its host's name
  std::string tool;        // `muster 0.1.0`
  // When read: whose word it is; the owner's counts everywhere.
  Domain domain = kDefaultDomain;
  bool by_owner = true;

  // The last stage that it came to; `nothing`.
  std::string reached_last() const;
};

// Beside the point, in place of what is known of earlier tries: those are removed where that is allowed.
void put_boot_record(const base::Context& ctx, const Repository& repository, const ObjectId& point,
                     const BootRecord& record);

// Of all points, in order. What cannot be read is warned of.
using BootRecords = std::map<ObjectId, std::vector<BootRecord>>;
BootRecords read_boot_records(const base::Context& ctx, const Repository& repository);
// The last one that counts for the point; nullptr: it was never tried.
const BootRecord* boot_record_of(const RestorePoint& point, const BootRecords& records);

}  // namespace muster::backup
