// Waiting until a machine has come as far as its user needs it: running, an address, the agent, a port that answers.
// Thread-safe.
#pragma once

#include <chrono>
#include <string>

#include "base/context.h"
#include "virt/domain.h"
#include "vm/milestone.h"

namespace muster::vm {

// Blocks until the machine is there. Returns the address for `ip`, `ssh` and `port`. Throws base::Error{timeout} at the
// deadline, saying what was missing, {refused} when it is off and so will never come there, {cancelled}.
std::string wait_for(const base::Context& ctx, const virt::Domain& domain, const Milestone& milestone,
                     std::chrono::milliseconds patience);

}  // namespace muster::vm
