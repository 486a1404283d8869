// Finds processes by a variable of their environment, which survives what a parent's pid does not: sessions of their
// own, daemons, a parent that was killed. Reads /proc; not thread-safe against processes that come meanwhile.
#pragma once

#include <chrono>
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

// A file of /proc/PID; empty once the process is gone, also in the middle of reading, or where it is somebody else's.
std::string process_file(pid_t pid, const std::string& name);
// What the kernel calls it: at most 15 bytes of its program's name. Empty once it is gone.
std::string process_name(pid_t pid);

// All there are at this moment.
std::vector<pid_t> all_processes();

// Neither gone nor a zombie.
bool is_running(pid_t pid);

void pause_between_polls();

// Polls until `condition` holds, at most `patience_ms`, however long each look takes. Returns whether it held.
template <class Condition>
bool wait_until(Condition condition, int patience_ms = 30'000) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  for (; !condition(); pause_between_polls())
    if (std::chrono::steady_clock::now() >= deadline) return false;
  return true;
}

}  // namespace muster::e2e
