// One restore point of one machine, on the host that has its disks: what runs here and what runs on another
// hypervisor's host are the same. Blocks on the hypervisor, on disks and on the repository.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "backup/create.h"
#include "cli/backup_machine.h"

namespace muster::cli {

struct MachineOrder {
  VmTarget target;
  std::string name;  // of the restore point
  std::vector<std::string> tags{};
  bool with_base = false;  // as backup::CreateRequest has these
  unsigned audit_parts = 0;
  backup::CreateOptions options{};
};

struct MachinePoint {
  backup::RestorePoint point;
  std::chrono::milliseconds held{};  // how long the guest stood still
};

// `history`: its restore points there, by time. `rate`: that several share; may be nullptr. Says, once, why a disk is
// read whole that was not to be. Throws what MachineBackup and create_restore_point() throw.
MachinePoint create_machine_point(const MachineSources& sources, const MachineOrder& order,
                                  const std::vector<backup::RestorePoint>& history, backup::RateLimit* rate,
                                  backup::Progress& progress);

}  // namespace muster::cli
