#include "tests/fakes/memory_storage.h"

#include <algorithm>
#include <cstring>

#include "backup/object_name.h"
#include "base/error.h"

namespace muster::fakes {

using backup::Put;
using backup::StoredObject;

MemoryStorage::MemoryStorage(const Objects& objects) {
  for (const auto& [name, bytes] : objects) {
    objects_[name] = {.bytes = bytes, .stored = time_};
    listed_[name] = {.name = name, .size_bytes = bytes.size(), .stored = time_};
  }
}

MemoryStorage::Objects MemoryStorage::objects() const {
  const std::lock_guard lock(mutex_);
  Objects copies;
  for (const auto& [name, object] : objects_) copies[name] = object.bytes;
  return copies;
}

void MemoryStorage::set_time(std::chrono::sys_seconds time) {
  const std::lock_guard lock(mutex_);
  time_ = time;
}

void MemoryStorage::advance(std::chrono::seconds by) {
  const std::lock_guard lock(mutex_);
  time_ += by;
}

std::chrono::sys_seconds MemoryStorage::time() const {
  const std::lock_guard lock(mutex_);
  return time_;
}

void MemoryStorage::delay_lists(Lag lag) {
  const std::lock_guard lock(mutex_);
  lag_ = lag;
}

std::chrono::milliseconds MemoryStorage::listing_lag() const {
  const std::lock_guard lock(mutex_);
  return lag_.time;
}

void MemoryStorage::begin(const base::Context& ctx, std::string_view name) {
  ctx.check_stop();
  backup::check_object_name(name);
  ++operations_;
}

std::optional<StoredObject> MemoryStorage::find(std::string_view name) const {
  const auto found = objects_.find(name);
  if (found == objects_.end()) return std::nullopt;
  return StoredObject{.name = found->first, .size_bytes = found->second.bytes.size(), .stored = found->second.stored};
}

void MemoryStorage::note_change(std::string_view name) {
  unlisted_.push_back({.name = std::string(name), .now = find(name), .operation = operations_, .time = time_});
}

// In order: a list never shows a later change of a name without an earlier one.
void MemoryStorage::settle() {
  const auto is_due = [&](const Change& change) {
    return operations_ - change.operation > lag_.operations || time_ >= change.time + lag_.time;
  };
  while (!unlisted_.empty() && is_due(unlisted_.front())) {
    const Change change = std::move(unlisted_.front());
    unlisted_.pop_front();
    if (change.now)
      listed_[change.name] = *change.now;
    else
      listed_.erase(change.name);
  }
}

Put MemoryStorage::put_new(const base::Context& ctx, std::string_view name, std::span<const base::ByteView> pieces) {
  const std::lock_guard lock(mutex_);
  begin(ctx, name);
  if (objects_.contains(name)) return Put::existed;
  Object object{.bytes = {}, .stored = time_};
  for (const auto& piece : pieces) object.bytes.insert(object.bytes.end(), piece.data(), piece.data() + piece.size());
  objects_.emplace(name, std::move(object));
  note_change(name);
  return Put::created;
}

std::size_t MemoryStorage::get_range(const base::Context& ctx, std::string_view name, std::uint64_t offset,
                                     base::MutableBytes into) {
  const std::lock_guard lock(mutex_);
  begin(ctx, name);
  const auto found = objects_.find(name);
  if (found == objects_.end())
    throw base::Error(base::Code::not_found, "no object " + std::string(name) + " in memory");
  const base::ByteView bytes = found->second.bytes;
  if (offset >= bytes.size()) return 0;
  const auto wanted = bytes.subspan(offset, std::min<std::uint64_t>(into.size(), bytes.size() - offset));
  if (!wanted.empty()) std::memcpy(into.data(), wanted.data(), wanted.size());
  return wanted.size();
}

void MemoryStorage::list(const base::Context& ctx, std::string_view prefix,
                         const std::function<void(const StoredObject&)>& take) {
  backup::check_prefix(prefix);
  ctx.check_stop();
  std::vector<StoredObject> shown;
  {
    const std::lock_guard lock(mutex_);
    ++operations_;
    settle();
    for (const auto& [name, object] : listed_)
      if (name.starts_with(prefix)) shown.push_back(object);
  }
  for (const auto& object : shown) take(object);
}

bool MemoryStorage::remove(const base::Context& ctx, std::string_view name) {
  const std::lock_guard lock(mutex_);
  begin(ctx, name);
  const auto found = objects_.find(name);
  if (found == objects_.end()) return false;
  objects_.erase(found);
  note_change(name);
  return true;
}

std::optional<StoredObject> MemoryStorage::stat(const base::Context& ctx, std::string_view name) {
  const std::lock_guard lock(mutex_);
  begin(ctx, name);
  return find(name);
}

}  // namespace muster::fakes
