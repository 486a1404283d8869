// What a restore point has of its machine beside the disks, as a hypervisor's worker takes it to define one. Blocks on
// the repository.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "backup/index.h"
#include "backup/restore_point.h"
#include "cli/backup_repository.h"

namespace muster::cli {

// The fields of the operation `backup_define`: `domain_xml`, and what there is of `nvram`, `tpm` and `secrets`. Throws
// what backup::read_part() throws.
nlohmann::json machine_parts(const OpenedRepository& opened, const backup::Index& index,
                             const backup::RestorePoint& point);

}  // namespace muster::cli
