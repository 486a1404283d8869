#include "tests/fakes/fault_storage.h"

#include <algorithm>
#include <array>
#include <type_traits>

namespace muster::fakes {

using backup::Put;
using backup::StoredObject;
using Kind = Operation::Kind;

std::string to_string(const Operation& operation) {
  static constexpr std::array kWords = {"put_new", "get_range", "list", "remove", "stat"};
  return std::to_string(operation.number) + ' ' + kWords.at(static_cast<std::size_t>(operation.kind)) + ' ' +
         operation.name;
}

std::vector<Operation> FaultStorage::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}

void FaultStorage::kill_at(std::size_t number) {
  const std::lock_guard lock(mutex_);
  killed_at_ = number;
}

void FaultStorage::fail_at(std::size_t number, base::Code code) {
  const std::lock_guard lock(mutex_);
  failures_[number] = code;
}

void FaultStorage::lose_reply_at(std::size_t number) {
  const std::lock_guard lock(mutex_);
  lost_replies_.insert(number);
}

void FaultStorage::before_each(Callback callback) {
  const std::lock_guard lock(mutex_);
  before_ = std::move(callback);
}

void FaultStorage::after_each(Callback callback) {
  const std::lock_guard lock(mutex_);
  after_ = std::move(callback);
}

void FaultStorage::flip_bit(const std::string& name, std::uint64_t bit) {
  const std::lock_guard lock(mutex_);
  flipped_.emplace(name, bit);
}

void FaultStorage::tear(const std::string& name, std::uint64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  torn_[name] = size_bytes;
}

Operation FaultStorage::begin(Kind kind, std::string_view name) {
  std::unique_lock lock(mutex_);
  const Operation operation{.kind = kind, .name = std::string(name), .number = operations_.size() + 1};
  if (killed_at_ != 0 && operation.number >= killed_at_) throw Killed();
  operations_.push_back(operation);
  if (const auto found = failures_.find(operation.number); found != failures_.end())
    throw base::Error(found->second, "test failure of " + to_string(operation));
  const Callback before = before_;
  lock.unlock();
  if (before) before(operation);
  return operation;
}

void FaultStorage::end(const Operation& operation) {
  std::unique_lock lock(mutex_);
  if (lost_replies_.contains(operation.number))
    throw base::Error(base::Code::io, "lost reply of " + to_string(operation));
  const Callback after = after_;
  lock.unlock();
  if (after) after(operation);
}

template <typename Call>
auto FaultStorage::perform(Kind kind, std::string_view name, Call call) {
  const Operation operation = begin(kind, name);
  if constexpr (std::is_void_v<decltype(call())>) {
    call();
    end(operation);
  } else {
    auto result = call();
    end(operation);
    return result;
  }
}

// Under the mutex.
std::uint64_t FaultStorage::seen_size(const StoredObject& object) const {
  const auto found = torn_.find(object.name);
  return found == torn_.end() ? object.size_bytes : std::min(found->second, object.size_bytes);
}

Put FaultStorage::put_new(const base::Context& ctx, std::string_view name, std::span<const base::ByteView> pieces) {
  return perform(Kind::put_new, name, [&] { return storage_.put_new(ctx, name, pieces); });
}

std::size_t FaultStorage::get_range(const base::Context& ctx, std::string_view name, std::uint64_t offset,
                                    base::MutableBytes into) {
  return perform(Kind::get_range, name, [&] {
    std::uint64_t count = storage_.get_range(ctx, name, offset, into);
    const std::lock_guard lock(mutex_);
    if (const auto found = torn_.find(name); found != torn_.end())
      count = std::min(count, found->second > offset ? found->second - offset : 0);
    for (auto [it, last] = flipped_.equal_range(name); it != last; ++it)
      if (const std::uint64_t at = it->second / 8; at >= offset && at - offset < count)
        into[at - offset] ^= static_cast<std::byte>(1U << (it->second % 8));
    return static_cast<std::size_t>(count);
  });
}

void FaultStorage::list(const base::Context& ctx, std::string_view prefix,
                        const std::function<void(const StoredObject&)>& take) {
  perform(Kind::list, prefix, [&] {
    storage_.list(ctx, prefix, [&](StoredObject object) {
      {
        const std::lock_guard lock(mutex_);
        object.size_bytes = seen_size(object);
      }
      take(object);
    });
  });
}

bool FaultStorage::remove(const base::Context& ctx, std::string_view name) {
  return perform(Kind::remove, name, [&] { return storage_.remove(ctx, name); });
}

std::optional<StoredObject> FaultStorage::stat(const base::Context& ctx, std::string_view name) {
  return perform(Kind::stat, name, [&] {
    auto object = storage_.stat(ctx, name);
    const std::lock_guard lock(mutex_);
    if (object) object->size_bytes = seen_size(*object);
    return object;
  });
}

}  // namespace muster::fakes
