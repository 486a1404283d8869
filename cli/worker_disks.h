// Disks of a worker's hypervisor, for who looks into them or changes them.
#pragma once

#include <string>

#include "base/context.h"
#include "disk/guest_root.h"
#include "virt/connection.h"

namespace muster::cli {

// A file of this host; or, where the URI of the connection says SSH, served over there by its own qemu-nbd for as long
// as the value lives. As clone::DiskReach. Throws base::Error{unsupported} where neither is so, {busy, unreachable,
// io}.
disk::MachineDisk reach_disk(const base::Context& ctx, const virt::Connection& connection, const std::string& path,
                             disk::ImageFormat format, disk::Access access);

// Whether that goes for images that are not files of this host.
bool reaches_disks_there(const virt::Connection& connection);

}  // namespace muster::cli
