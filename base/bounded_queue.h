// Hands values from threads to threads, in order, holding no more than a limit of them: a full queue makes its writers
// wait, so that memory stays bounded by options. They wait until half of it is gone, and then have a while to work: to
// wake them for each value that leaves would cost much where those who take them are the slower ones. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace muster::base {

template <typename Value>
class BoundedQueue {
 public:
  // `limit`: of the weights of what is held; a single value heavier than that is still taken by an empty queue.
  explicit BoundedQueue(std::size_t limit) : limit_(limit) {}

  // Waits for room. False once the queue was closed: the value is dropped.
  bool push(Value value, std::size_t weight = 1) {
    std::unique_lock lock(mutex_);
    if (held_ + weight > limit_) full_ = true;
    room_.wait(lock, [&] { return closed_ || held_ == 0 || (!full_ && held_ + weight <= limit_); });
    if (closed_) return false;
    held_ += weight;
    values_.emplace_back(std::move(value), weight);
    lock.unlock();
    filled_.notify_one();
    return true;
  }

  // Waits for a value. nullopt once the queue was closed and is empty.
  std::optional<Value> pop() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return closed_ || !values_.empty(); });
    if (values_.empty()) return std::nullopt;
    auto [value, weight] = std::move(values_.front());
    values_.pop_front();
    held_ -= weight;
    const bool has_room = held_ <= limit_ / 2;
    if (has_room) full_ = false;
    lock.unlock();
    if (has_room) room_.notify_all();
    return std::move(value);
  }

  // No more values: writers stop waiting, readers get what is left.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    room_.notify_all();
    filled_.notify_all();
  }

  // As close(), and what is held is dropped: something failed.
  void abandon() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      values_.clear();
      held_ = 0;
    }
    room_.notify_all();
    filled_.notify_all();
  }

 private:
  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable room_, filled_;
  std::deque<std::pair<Value, std::size_t>> values_;
  std::size_t held_ = 0;
  bool full_ = false;  // until half of it is gone
  bool closed_ = false;
};

}  // namespace muster::base
