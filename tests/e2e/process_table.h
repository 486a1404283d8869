// Finds processes by a variable of their environment, which survives what a parent's pid does not: sessions of their
// own, daemons, a parent that was killed. Reads /proc; not thread-safe against processes that come meanwhile.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace muster::e2e {

struct Found {
  pid_t pid = -1;
  std::string command;
};

// Living processes whose environment holds `assignment` (NAME=value); zombies have none.
std::vector<Found> processes_with(const std::string& assignment);

// The process and all that descend from it, parents first.
std::vector<pid_t> process_tree(pid_t root);

// Neither gone nor a zombie.
bool is_running(pid_t pid);

void pause_between_polls();

// Polls until `condition` holds, at most `patience_ms`. Returns whether it held.
template <class Condition>
bool wait_until(Condition condition, int patience_ms = 10'000) {
  constexpr int kPollMs = 5;
  for (int waited = 0; !condition(); waited += kPollMs) {
    if (waited >= patience_ms) return false;
    pause_between_polls();
  }
  return true;
}

}  // namespace muster::e2e
