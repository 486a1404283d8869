// The process that thaws a guest when whoever froze it cannot any more: `muster-hypervisor-worker --thaw URI DOMAIN`.
// A worker starts one before it freezes a guest. It does nothing when it reads a line from its standard input, which
// calls it off; when that ends without one, its worker is dead, and when the time is up, it hangs: then it connects by
// itself and thaws the guest.
#pragma once

#include <string>
#include <vector>

namespace muster::cli {

std::vector<std::string> thaw_watchdog_command(const std::string& uri, const std::string& domain);

// The watchdog's whole life. Returns its exit status.
int watch_and_thaw(const std::string& uri, const std::string& domain);

}  // namespace muster::cli
