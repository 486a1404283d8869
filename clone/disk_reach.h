// How an image of a hypervisor's is opened from here: whoever knows its host says so. Throws base::Error{unsupported}
// where it is not.
#pragma once

#include <functional>
#include <string>

#include "base/context.h"
#include "disk/guest_root.h"
#include "virt/connection.h"

namespace muster::clone {

using DiskReach =
    std::function<disk::MachineDisk(const base::Context& ctx, const virt::Connection& connection,
                                    const std::string& path, disk::ImageFormat format, disk::Access access)>;

}  // namespace muster::clone
