// Calls into libvirt that may never return: each is made in a thread of its own, which is left behind when another
// attempt was faster or the patience is over. What a call uses it must own (a Connection and a Domain are handles).
// Not thread-safe.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/context.h"

namespace muster::virt {

template <typename Result>
class Attempts {
 public:
  void start(std::function<Result()> call) {
    // Detached: a call into libvirt cannot be cancelled.
    std::thread([shared = shared_, call = std::move(call)]() mutable {
      Outcome outcome;
      try {
        outcome.result = call();
      } catch (...) {
        outcome.error = std::current_exception();
      }
      call = {};  // whoever waits may go on as if this thread were over
      const std::lock_guard lock(shared->mutex);
      if (!shared->first) shared->first = std::move(outcome);
      shared->changed.notify_all();
    }).detach();
  }

  // What the first of all attempts came to; nullopt: none has ended within `patience`. Throws what the attempt threw,
  // and base::Error{cancelled}.
  std::optional<Result> first(const base::Context& ctx, std::chrono::milliseconds patience) {
    std::unique_lock lock(shared_->mutex);
    const auto ended = [&] { return shared_->first.has_value(); };
    if (!shared_->changed.wait_for(lock, ctx.stop, patience, ended)) {
      ctx.check_stop();
      return std::nullopt;
    }
    if (shared_->first->error) std::rethrow_exception(shared_->first->error);
    return std::move(shared_->first->result);
  }

 private:
  struct Outcome {
    std::optional<Result> result;
    std::exception_ptr error;
  };
  struct Shared {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::optional<Outcome> first;
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace muster::virt
