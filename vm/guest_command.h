// Commands inside a guest, through its agent. For machines whose agent answers and allows them; many distributions'
// agents do not. Blocks at most as long as it is given. Thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/domain.h"

namespace muster::vm {

struct GuestResult {
  int status = -1;     // of the program; -1: a signal ended it
  std::string output;  // what it said, both streams, at most 64 KiB
};

// `argv[0]` is looked up by the guest. Throws base::Error{unsupported} where no agent answers or it does not run
// commands, {timeout}, {cancelled}.
GuestResult run_in_guest(const base::Context& ctx, const virt::Domain& domain, const std::vector<std::string>& argv,
                         std::chrono::seconds patience);

}  // namespace muster::vm
