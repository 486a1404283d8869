#include "backup/rate_limit.h"

#include <algorithm>
#include <condition_variable>

namespace muster::backup {

void RateLimit::spend(const base::Context& ctx, std::uint64_t bytes) {
  if (bytes_per_second_ == 0) return;
  base::TimePoint until;
  {
    const std::lock_guard lock(mutex_);
    const auto cost = std::chrono::nanoseconds(
        static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(bytes_per_second_)));
    const auto credit = base::Clock::now() - base::seconds(1);
    free_at_ = std::max(free_at_, credit) + cost;
    until = free_at_;
  }
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any wake;
  wake.wait_until(lock, ctx.stop, until, [] { return false; });
  ctx.check_stop();
}

}  // namespace muster::backup
