// The disks of another hypervisor's machines, where muster is not there: QEMU's programs there serve them, and what is
// read comes through SSH sessions.
#pragma once

#include <memory>

#include "cli/disk_access.h"
#include "cli/ssh_place.h"

namespace muster::cli {

std::shared_ptr<const DiskAccess> tunnelled_disks(SshPlace place);

}  // namespace muster::cli
