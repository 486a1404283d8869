// The serial console of a running domain, joined with two descriptors.
#pragma once

#include <functional>

#include "virt/domain.h"

namespace muster::virt {

enum class ConsoleUse {
  if_free,    // throws base::Error{busy} while somebody else is on it
  take_over,  // whoever else is on it loses it
};

// Copies what comes from `in` to the domain's first console, and what it says to `out`, until either side ends. Both
// become non-blocking. Calls `opened` when there is a console. Blocks; runs on libvirt's event loop.
// Throws base::Error{refused} for a domain that does not run, {unsupported, busy}.
struct ConsoleEnds {
  int in, out;
};
void join_console(const Domain& domain, ConsoleUse use, const ConsoleEnds& ends, const std::function<void()>& opened);

}  // namespace muster::virt
