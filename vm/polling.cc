#include "vm/polling.h"

#include <condition_variable>
#include <mutex>

#include "base/error.h"

namespace muster::vm {

bool wait_until(const base::Context& ctx, base::TimePoint deadline, const std::function<bool()>& happened,
                std::chrono::milliseconds interval) {
  std::mutex mutex;
  std::condition_variable_any never;
  for (;;) {
    ctx.check_stop();
    if (happened()) return true;
    const auto now = base::Clock::now();
    if (now >= deadline) return false;
    std::unique_lock lock(mutex);
    never.wait_until(lock, ctx.stop, std::min(deadline, now + interval), [] { return false; });
  }
}

}  // namespace muster::vm
