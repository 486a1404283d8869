// Where a disk goes on another hypervisor's host: QEMU's programs there make and write the image, and the owner's key
// stays here.
#pragma once

#include <memory>

#include "cli/backup_target.h"
#include "cli/ssh_place.h"

namespace muster::cli {

// Looks there. `wanted.format` is told. Throws base::Error{usage} for what is no file or block device, and what
// output_over_ssh() throws.
std::unique_ptr<RestoreTarget> tunnelled_target(const base::Context& ctx, const SshPlace& place,
                                                RestoreTarget::Wanted wanted);

}  // namespace muster::cli
