// Commands of the user's before and after a machine's backup: on this machine, or, with `guest:` before them, in the
// guest, over SSH as `muster run` does it. One thread's.
#pragma once

#include <string>
#include <vector>

#include "cli/program.h"
#include "cli/vm_selection.h"

namespace muster::cli {

struct HookFacts {
  std::string name, uri, domain;
  std::string host;    // of the inventory, where commands with `guest:` are run; empty: there is none
  std::string status;  // after: `ok` or `failed`
  std::string point;   // after, where there is one
};

// Runs them in turn, with MUSTER_NAME, MUSTER_URI, MUSTER_DOMAIN, MUSTER_STATUS and MUSTER_POINT. Throws
// base::Error{refused} with the end of what one that fails said, {timeout, cancelled}.
void run_hooks(const Program& program, const base::Context& ctx, const std::vector<std::string>& commands,
               const HookFacts& facts);

}  // namespace muster::cli
