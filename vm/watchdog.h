// A process that looks after something for this one: a guest that is held still, a backup job. It outlives this process
// and its group. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/child_process.h"

namespace muster::vm {

// A program that leaves its process group, writes kWatching on its standard output once it watches, and acts when its
// standard input ends before it read a line, which calls it off.
using Watchdog = std::vector<std::string>;
inline constexpr std::string_view kWatching = "watching\n";

class WatchdogProcess {
 public:
  // Starts it, and does not wait for it. Throws base::Error{not_found, io}.
  explicit WatchdogProcess(const Watchdog& watchdog) : process_(watchdog) {}

  // Returns once it watches `object`, which errors name. Throws base::Error{io} where it ends instead, {timeout} after
  // 20 s.
  void await(const std::string& object);
  // One that has gone has nothing left to do.
  void call_off();
  // What it said since it watches, as far as that is here.
  std::string said();
  // Until it has ended, some seconds at most.
  void await_end();

 private:
  bool hear();  // false: it has ended

  base::ChildProcess process_;
  std::string heard_;
};

}  // namespace muster::vm
