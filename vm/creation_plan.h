// What is to be done to make a machine: a value, made by looking alone. It is shown by --dry-run and carried out by
// creation.h. Blocks on the hypervisor; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "base/context.h"
#include "virt/connection.h"
#include "virt/creation_mark.h"
#include "vm/domain_builder.h"
#include "vm/machine_spec.h"
#include "vm/making.h"

namespace muster::vm {

struct CreationPlan {
  MachineRequest request;
  virt::GuestOffer offer;
  std::string uuid;
  std::vector<BuiltDisk> disks;
  std::vector<NetworkRequest> networks;
  std::vector<PlannedVolume> volumes;
  std::vector<std::string> notes;  // for the user, who may not have expected it

  // The machine as it will be defined.
  std::string xml() const;
  Making making() const;
};

// `left`: volumes of an earlier try, which will be gone when the plan is carried out. Throws base::Error{refused} when
// the machine or one of its volumes is there already, {not_found} for a pool, image or network that is not, {no_space}
// where a pool has no room for what is taken at once, {unsupported} for firmware that the driver has not.
CreationPlan plan_creation(const base::Context& ctx, const virt::Connection& connection, const MachineRequest& request,
                           const std::vector<virt::VolumeName>& left);

}  // namespace muster::vm
