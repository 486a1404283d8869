// What belongs to a machine beside its disks, out of the hypervisor and back into it: by the names that restore points
// have for it (muster-repository(7)), base64 in the fields of a worker's operation.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "cli/worker_operations.h"
#include "virt/identity.h"

namespace muster::cli {

// `domain.xml`, with its secrets; `nvram` and `firmware`: the variables and the code of its firmware; `tpm`; `secrets`
// of libvirt's that it names. What cannot be read is told as a warning, and left out.
nlohmann::json parts_of(const WorkerCall& call, const virt::Domain& domain);

// Before it is defined: the definition names the file of its variables, where they came with it. Returns that path;
// empty: there are none. Secrets are there from then on.
std::string prepare_parts(const WorkerCall& call, virt::Rewritten& definition);

// Once it is defined, and before it starts. `variables`: what prepare_parts() said.
void place_parts(const WorkerCall& call, const virt::Domain& domain, const std::string& variables);

}  // namespace muster::cli
