// A machine that is there, held against what it shall be. Blocks on the hypervisor; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "virt/connection.h"
#include "vm/machine_spec.h"

namespace muster::vm {

// Every way in which `domain` differs from `request`, in words: `memory is 1024 MiB, not 2048 MiB`. Seed and images are
// left out, since they count at the first boot only; so is what the request leaves to the hypervisor.
std::vector<std::string> differences(const virt::Connection& connection, const virt::Domain& domain,
                                     const MachineRequest& request);

}  // namespace muster::vm
