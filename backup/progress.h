// How far long work has come, for whoever watches it from another thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace muster::backup {

// What is known of work while it runs. Any thread may look.
struct Progress {
  enum class Unit { bytes, packs, chunks };

  std::atomic<Unit> unit = Unit::bytes;
  std::atomic<std::uint64_t> total = 0;  // that there are to look at: of bytes those allocated, or dirty
  std::atomic<std::uint64_t> done = 0;
  std::atomic<std::uint64_t> new_bytes = 0;  // that were not in the repository

  // Another pass, which counts from nothing. Of one thread, while no other counts.
  void begin(Unit what, std::uint64_t how_many) {
    done = 0;
    total = how_many;
    unit = what;
  }
};

}  // namespace muster::backup
