// A storage in memory, true to the contract, with a clock that a test sets and, if it likes, lists that lag. What goes
// wrong is FaultStorage's, around this one. Thread-safe; never blocks.
#pragma once

#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <string>

#include "backup/storage.h"

namespace muster::fakes {

class MemoryStorage : public backup::Storage {
 public:
  using Objects = std::map<std::string, base::Bytes>;

  MemoryStorage() = default;
  // Holds `objects`, all stored now.
  explicit MemoryStorage(const Objects& objects);

  // Everything that is there, whatever lists say. Changed by a test and made into another storage, it is one that was
  // damaged.
  Objects objects() const;

  // Puts get the time of this clock. It stands still unless it is set.
  void set_time(std::chrono::sys_seconds time);
  void advance(std::chrono::seconds by);
  std::chrono::sys_seconds time() const;

  // From now on lists show a put or a removal once `operations` more operations were done (lists among them), or once
  // the clock is `time` later, which is listing_lag() then.
  struct Lag {
    std::size_t operations = std::numeric_limits<std::size_t>::max();
    std::chrono::seconds time{60};
  };
  void delay_lists(Lag lag);

  backup::Put put_new(const base::Context& ctx, std::string_view name, std::span<const base::ByteView> pieces) override;
  std::size_t get_range(const base::Context& ctx, std::string_view name, std::uint64_t offset,
                        base::MutableBytes into) override;
  // What `take` does with the storage does not change what it is called with.
  void list(const base::Context& ctx, std::string_view prefix,
            const std::function<void(const backup::StoredObject&)>& take) override;
  bool remove(const base::Context& ctx, std::string_view name) override;
  std::optional<backup::StoredObject> stat(const base::Context& ctx, std::string_view name) override;
  std::chrono::milliseconds listing_lag() const override;
  std::string where() const override { return "memory"; }

 private:
  struct Object {
    base::Bytes bytes;
    std::chrono::sys_seconds stored;
  };
  // Not yet in lists.
  struct Change {
    std::string name;
    std::optional<backup::StoredObject> now;
    std::size_t operation = 0;
    std::chrono::sys_seconds time;
  };
  // All under the mutex.
  void begin(const base::Context& ctx, std::string_view name);
  void note_change(std::string_view name);
  void settle();
  std::optional<backup::StoredObject> find(std::string_view name) const;

  mutable std::mutex mutex_;
  std::map<std::string, Object, std::less<>> objects_;
  std::map<std::string, backup::StoredObject> listed_;
  std::deque<Change> unlisted_;
  Lag lag_{.operations = 0, .time = std::chrono::seconds(0)};
  std::size_t operations_ = 0;
  std::chrono::sys_seconds time_ = std::chrono::sys_days(std::chrono::year(2024) / 1 / 1);
};

}  // namespace muster::fakes
