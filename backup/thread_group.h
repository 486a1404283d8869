// Threads that work on one thing and fail together: the first that throws stops the others, and its error is the
// group's. Used by one thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/context.h"

namespace muster::backup {

class ThreadGroup {
 public:
  // `ctx` outlives the group; a stop of it stops the group.
  explicit ThreadGroup(const base::Context& ctx)
      : context_{.stop = stop_.get_token(), .events = ctx.events},
        forward_(ctx.stop, [this] { stop_.request_stop(); }) {}
  ThreadGroup(const ThreadGroup&) = delete;
  ThreadGroup& operator=(const ThreadGroup&) = delete;
  ~ThreadGroup() {
    stop_.request_stop();
    on_stop();
    threads_.clear();
  }

  // What the threads of the group are to use: stopped once one of them failed.
  const base::Context& context() const { return context_; }
  // Called once when the group is stopped or a thread failed: to close queues that others wait at. Before start().
  void on_failure(std::function<void()> callback) { on_failure_ = std::move(callback); }

  void start(std::function<void(const base::Context&)> work) {
    threads_.emplace_back([this, work = std::move(work)] {
      try {
        work(context_);
      } catch (...) {
        fail(std::current_exception());
      }
    });
  }

  // Waits for all. Throws what the first one to fail threw.
  void join() {
    threads_.clear();
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void fail(std::exception_ptr failure) {
    {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::move(failure);
    }
    stop_.request_stop();
    on_stop();
  }
  void on_stop() {
    if (on_failure_) on_failure_();
  }

  std::stop_source stop_;
  base::Context context_;
  std::stop_callback<std::function<void()>> forward_;
  std::function<void()> on_failure_;
  std::mutex mutex_;
  std::exception_ptr failure_;
  std::vector<std::jthread> threads_;
};

// Calls what `worker` makes, once a thread, with all numbers below `count`. Throws what the first failure threw.
inline void in_parallel(const base::Context& ctx, unsigned threads, std::size_t count,
                        const std::function<std::function<void(const base::Context&, std::size_t)>()>& worker) {
  std::atomic<std::size_t> next = 0;
  ThreadGroup group(ctx);
  for (unsigned i = 0; i < threads; ++i)
    group.start([&](const base::Context& own) {
      const auto take = worker();
      for (std::size_t number = next++; number < count; number = next++) {
        own.check_stop();
        take(own, number);
      }
    });
  group.join();
}

// Threads for work of which some waits for the store while some decompresses: `asked`, or by processors.
inline unsigned worker_count(unsigned asked) {
  return asked != 0 ? asked : std::max(2U, std::thread::hardware_concurrency() + 1);
}

}  // namespace muster::backup
