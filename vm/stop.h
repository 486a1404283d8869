// Stopping a machine the way its owner would like: the guest is asked, by its agent where one answers, by the power
// button, which is pressed again now and then because guests miss it while they boot; only when the time is up its plug
// is pulled. Blocks until it is off. Thread-safe.
#pragma once

#include <chrono>

#include "base/context.h"
#include "virt/domain.h"

namespace muster::vm {

struct StopOptions {
  std::chrono::milliseconds grace{120'000};  // until the plug is pulled; zero: at once
  bool may_force = true;                     // otherwise a machine that does not go is an error
};

enum class StopOutcome { was_off, shut_down, forced };

// Throws base::Error{timeout} where it may not be forced, {cancelled}, {refused} for a state that allows no stop.
StopOutcome stop(const base::Context& ctx, const virt::Domain& domain, const StopOptions& options);

}  // namespace muster::vm
