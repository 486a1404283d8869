// What is to be done to make clones of a master on one hypervisor: a value, made by looking alone. Each machine's part
// is carried out by vm/creation.h, whose mark in the domain's metadata is the journal. Block on the hypervisor;
// thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "clone/clone_request.h"
#include "clone/generation.h"
#include "clone/offline_identity.h"
#include "virt/connection.h"
#include "vm/maker.h"
#include "vm/making.h"

namespace muster::clone {

struct PlannedClone {
  enum class State {
    to_make,
    half_made,  // by somebody who is gone; that is removed first
    there,      // a clone of this master already
  };
  std::string name;
  State state = State::to_make;
  CloneKind kind = CloneKind::linked;
  unsigned generation = 0;  // of the master; of one that is there, its own
  vm::Making making = {};   // of one that is there, its UUID alone; without what it takes of the master
  std::vector<std::string> macs = {};
  // For its disks, between making them and giving them to the machine; nullopt: the guest sees to that.
  std::optional<OfflineIdentity> identity = std::nullopt;
  // What is too large to be planned a thousand times over is read of the master when the clone is made.
  bool takes_variables = false, takes_tpm_state = false;
  std::vector<std::string> left_out = {};  // what the master has and it will not, in words
};
const char* name_of(PlannedClone::State state);

// One after the other, so that nobody has to hold thousands.
using PlanSink = std::function<void(const PlannedClone& clone)>;

struct PlanOptions {
  vm::TakeOver take_over = vm::TakeOver::from_the_dead;
  // Images that are not files of this host can be written to all the same, as by DiskReach.
  bool reaches_disks = false;
};

// Returns the generation that is cloned. All are planned before any is to be made: what the sink got counts only once
// this returns. Throws base::Error{refused} for a name that another machine has, or a volume that is there already,
// {corrupt} for a master that is not what was sealed, {no_space} where copies would not fit, {unsupported} for a kind
// that the storage cannot do, disks that have to be written to and cannot be, or a TPM's state on another host, {usage}
// for a disk smaller than the master's, and what has no way into its guests; and as vm::check_abandoned().
Generation plan_clones(const base::Context& ctx, const virt::Connection& connection, const CloneRequest& request,
                       const PlanOptions& options, const PlanSink& sink);

}  // namespace muster::clone
