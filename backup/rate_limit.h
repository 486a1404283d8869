// Keeps what several threads do within so many bytes a second, with a second's worth of credit. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>

#include "base/context.h"

namespace muster::backup {

class RateLimit {
 public:
  // 0: none.
  explicit RateLimit(std::uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  // Waits until `bytes` may go. Throws Error{cancelled}.
  void spend(const base::Context& ctx, std::uint64_t bytes);

 private:
  const std::uint64_t bytes_per_second_;
  std::mutex mutex_;
  base::TimePoint free_at_ = base::Clock::now();
};

}  // namespace muster::backup
