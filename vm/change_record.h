// What a backup leaves on a machine so that the next one knows what changed: a checkpoint of libvirt's for each
// repository, and its bitmaps in the images. Blocks on libvirt and on images.
#pragma once

#include "base/context.h"
#include "virt/domain.h"

namespace muster::vm {

// QEMU goes back to no snapshot in an image while a bitmap of it records, and what is recorded would be worth nothing
// afterwards: drops those of all repositories; each reads the disks whole next. A machine that is off may lose them
// only where its images are on this host. Throws base::Error{busy} while a backup of it is under way, {io}.
void drop_change_records(const base::Context& ctx, const virt::Domain& domain);

}  // namespace muster::vm
