// The size of a machine's disk, which is that of its image: a running machine's by QEMU, at once; that of one that is
// off as a file of this host, where this process may write to it, or else by the pool that has it. What is inside is
// not touched (disk/image_size.h). Blocks as long as that takes; thread-safe for different machines.
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

// Throws base::Error{usage} where the machine has no such disk; {refused} for a
// disk that is not its own or holds still for others (image_claim.h), for less of one that runs, or has a saved memory
// that knows the size; {unsupported} for an image that neither this process may write to nor a pool has; {io} where
// a pool or QEMU has something else than was asked for; and what disk::plan_size() and libvirt refuse.
DiskSizeChange resize_disk(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                           const DiskSizeRequest& request);

}  // namespace muster::vm
