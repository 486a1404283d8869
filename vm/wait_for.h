// Waiting until a machine has come as far as its user needs it: running, an address, the agent, a port that answers.
// Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/context.h"
#include "virt/domain.h"

namespace muster::vm {

struct Milestone {
  enum class Kind { running, off, ip, agent };
  Kind kind = Kind::running;
};

// Blocks until the machine is there. Returns the address for `ip`. Throws base::Error{timeout} at the deadline, saying
// what was missing, {refused} when it is off and so will never come there, {cancelled}.
std::string wait_for(const base::Context& ctx, const virt::Domain& domain, Milestone milestone,
                     std::chrono::milliseconds patience);

}  // namespace muster::vm
