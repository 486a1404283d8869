// How far long work has come, for whoever watches it from another thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace muster::backup {

// What is known of a backup or restore while it runs. Any thread may look.
struct Progress {
  std::atomic<std::uint64_t> total_bytes = 0;  // that there are to look at: allocated, or dirty
  std::atomic<std::uint64_t> done_bytes = 0;
  std::atomic<std::uint64_t> new_bytes = 0;  // that were not in the repository
};

}  // namespace muster::backup
