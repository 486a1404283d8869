// The process that lets a guest go on when whoever made it hold still cannot any more: `muster-hypervisor-worker
// --watch URI DOMAIN frozen|paused SECONDS`. A worker starts one before it freezes or pauses a guest, and waits for its
// word that it watches. It does nothing when it reads a line from its standard input, which calls it off; when that
// ends without one, its worker is dead, and when the time is up, it hangs: then the guest goes on, over a connection of
// the watchdog's own, also from a hold that was under way still and comes late. It outlives its worker, the worker's
// process group, and, where it may, the worker's control group.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace muster::cli {

enum class Hold { frozen, paused };

struct GuestWatch {
  std::string uri, domain;
  Hold hold = Hold::frozen;
  std::chrono::seconds budget{};  // longer it is not held
};

std::vector<std::string> watchdog_command(const GuestWatch& watch);

// The watchdog's whole life, out of the words after `--watch`. Returns its exit status.
int watch_guest(const std::vector<std::string>& words);

}  // namespace muster::cli
