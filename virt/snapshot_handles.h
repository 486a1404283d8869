// The snapshots of a domain as libvirt's own objects, for .cc files in virt/ only. Thread-safe.
#pragma once

#include <optional>
#include <vector>

#include "virt/domain.h"
#include "virt/owned.h"

namespace muster::virt {

// Parents before their children, as far as the driver sorts. nullopt: it has no snapshots, and libvirt's last error
// says so. Throws base::Error{io} and the like.
std::optional<std::vector<OwnedSnapshot>> snapshot_handles(const Domain& domain);

}  // namespace muster::virt
