// Values under the name of what they are made from: made once, however many threads want one at a time, and the ones
// used last kept up to a limit. Thread-safe; nothing is locked while a value is made.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "backup/ids.h"
#include "base/context.h"

namespace muster::backup {

template <typename Value>
class SharedCache {
 public:
  using Shared = std::shared_ptr<const Value>;
  struct Made {
    Shared value;
    std::size_t bytes = 0;  // what it counts for
  };
  using Make = std::function<Made()>;

  // `limit_bytes`: of all that is kept; the value made last is kept even where it is larger.
  explicit SharedCache(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // The value that is kept, or that another thread makes, or that `make` returns. What `make` throws is the calling
  // thread's alone: those that waited for it try themselves. Throws Error{cancelled} out of the wait.
  Shared get(const base::Context& ctx, const ChunkId& id, const Make& make) {
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto [entry, fresh] = entries_.try_emplace(id);
      if (fresh) break;
      if (entry->second.value) return touch(entry->second);
      changed_.wait(lock, ctx.stop, [&] { return is_settled(id); });
      ctx.check_stop();
    }
    lock.unlock();
    return make_now(id, make);
  }

  // As get(), where nobody has the value and nobody is making it; else nothing.
  void fill(const ChunkId& id, const Make& make) {
    {
      const std::lock_guard lock(mutex_);
      if (!entries_.try_emplace(id).second) return;
    }
    make_now(id, make);
  }

 private:
  struct Entry {
    Shared value;  // none while it is being made
    std::size_t bytes = 0;
    std::list<ChunkId>::iterator place;
  };

  // Of a value that is being made: the next to want it tries again unless it got there.
  struct Making {
    SharedCache& cache;
    const ChunkId& id;
    bool made = false;
    ~Making() {
      {
        const std::lock_guard lock(cache.mutex_);
        if (!made) cache.entries_.erase(id);
      }
      cache.changed_.notify_all();
    }
  };

  Shared make_now(const ChunkId& id, const Make& make) {
    Making making{*this, id};
    Made made = make();
    const std::lock_guard lock(mutex_);
    used_.push_front(id);
    entries_[id] = {made.value, made.bytes, used_.begin()};
    held_bytes_ += made.bytes;
    making.made = true;
    while (held_bytes_ > limit_bytes_ && used_.size() > 1) drop_oldest();
    return std::move(made.value);
  }

  void drop_oldest() {
    const auto oldest = entries_.find(used_.back());
    held_bytes_ -= oldest->second.bytes;
    entries_.erase(oldest);
    used_.pop_back();
  }

  Shared touch(Entry& entry) {
    used_.splice(used_.begin(), used_, entry.place);
    return entry.value;
  }

  bool is_settled(const ChunkId& id) const {
    const auto entry = entries_.find(id);
    return entry == entries_.end() || entry->second.value;
  }

  const std::size_t limit_bytes_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::unordered_map<ChunkId, Entry> entries_;
  std::list<ChunkId> used_;  // of those that are made; the latest first
  std::size_t held_bytes_ = 0;
};

}  // namespace muster::backup
