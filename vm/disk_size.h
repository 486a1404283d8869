// The size of a machine's disk, which is that of its image: a running machine's by QEMU, at once; that of one that is
// off by the pool that has it, or as a file of this host. What is inside is not touched (disk/image_size.h). Blocks as
// long as that takes; thread-safe for different machines.
#pragma once

#include <string>

#include "base/context.h"
#include "disk/image_size.h"
#include "virt/connection.h"

namespace muster::vm {

struct DiskSizeRequest {
  std::string target;  // `vda`
  disk::SizeWish wish;
  bool may_shrink = false;
  bool only_plan = false;  // asks all that may refuse it, and changes nothing
};

struct DiskSizeChange {
  std::string image, bus;
  disk::SizeChange size;
  bool running = false;
};

// Whole, or not at all, and read back. Throws base::Error{usage} where the machine has no such disk; {refused} for a
// disk that is not its own or holds still for others (image_claim.h), for less of one that runs, or has a saved memory
// that knows the size; {unsupported} for an image that neither a pool nor this host has; and what disk::plan_size() and
// libvirt refuse.
DiskSizeChange resize_disk(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                           const DiskSizeRequest& request);

}  // namespace muster::vm
