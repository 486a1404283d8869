// Images that somebody else needs as they are (disk/image_claim.h), as a machine's disks: it may not be started on
// them, nor go with them. Asks the hypervisor; thread-safe.
#pragma once

#include "base/context.h"
#include "virt/connection.h"

namespace muster::vm {

// Throws base::Error{refused} where the machine, at its next start, would write to an image with a claim beside it.
void check_unclaimed(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain);
// The same of one image. A claim of a pool that is not active is seen where this host is the hypervisor.
void check_unclaimed(const base::Context& ctx, const virt::Connection& connection, const std::string& image);

}  // namespace muster::vm
