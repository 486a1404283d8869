#include "backup/piped_storage.h"

#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

#include "backup/fields.h"

namespace muster::backup {
namespace {

using base::ByteView;
using base::Code;
using base::Context;
using base::Error;
using base::Frame;
using nlohmann::json;

constexpr const char* kWhat = "a message of a storage";
constexpr std::uint64_t kMaxNumber = std::numeric_limits<std::uint64_t>::max();

json parse(std::string_view head) { return parse_fields(base::as_bytes(head), kWhat); }
std::uint64_t number(const json& fields, const char* name) { return number_field(fields, name, kMaxNumber, kWhat); }

StoredObject object_from(const json& fields) {
  const auto stored =
      std::chrono::seconds(number_field(fields, "stored", std::numeric_limits<std::int64_t>::max(), kWhat));
  return {.name = text_field(fields, "name", kWhat),
          .size_bytes = number(fields, "size"),
          .stored = std::chrono::sys_seconds(stored)};
}

}  // namespace

struct PipedStorage::Request {
  const char* operation;
  std::string_view name;
  std::uint64_t offset = 0, size = 0;
  std::span<const ByteView> pieces = {};
};

PipedStorage::PipedStorage(Send send, std::string where, std::chrono::milliseconds listing_lag)
    : send_(std::move(send)), where_(std::move(where)), listing_lag_(listing_lag) {}

void PipedStorage::answer(Frame frame) {
  const std::uint64_t id = number(parse(frame.head), "answer");
  const std::lock_guard lock(mutex_);
  if (const auto found = waiting_.find(id); found != waiting_.end()) found->second = std::move(frame);
  changed_.notify_all();
}

void PipedStorage::lose(const Error& why) {
  const std::lock_guard lock(mutex_);
  if (!lost_) lost_ = why;
  changed_.notify_all();
}

Frame PipedStorage::call(const Context& ctx, const Request& request) {
  ctx.check_stop();
  std::unique_lock lock(mutex_);
  if (lost_) throw Error(*lost_);
  const std::uint64_t id = ++last_;
  const auto waiting = waiting_.emplace(id, std::nullopt).first;
  struct Registration {
    PipedStorage& owner;
    std::unique_lock<std::mutex>& lock;
    std::map<std::uint64_t, std::optional<Frame>>::iterator entry;
    ~Registration() {
      if (!lock.owns_lock()) lock.lock();
      owner.waiting_.erase(entry);
    }
  } const registration{*this, lock, waiting};
  lock.unlock();
  const json head{{"call", id},
                  {"storage", request.operation},
                  {"name", request.name},
                  {"offset", request.offset},
                  {"size", request.size}};
  send_(head.dump(), request.pieces);
  lock.lock();
  changed_.wait(lock, ctx.stop, [&] { return waiting->second || lost_; });
  if (!waiting->second && lost_) throw Error(*lost_);
  if (!waiting->second) ctx.check_stop();
  Frame frame = std::move(*waiting->second);
  const json fields = parse(frame.head);
  if (fields.contains("error"))
    throw Error(base::code_named(text_field(fields, "error", kWhat)), text_field(fields, "text", kWhat));
  return frame;
}

Put PipedStorage::put_new(const Context& ctx, std::string_view name, std::span<const ByteView> pieces) {
  const Frame frame = call(ctx, {.operation = "put", .name = name, .pieces = pieces});
  return number(parse(frame.head), "created") != 0 ? Put::created : Put::existed;
}

std::size_t PipedStorage::get_range(const Context& ctx, std::string_view name, std::uint64_t offset,
                                    base::MutableBytes into) {
  const Frame frame = call(ctx, {.operation = "get", .name = name, .offset = offset, .size = into.size()});
  if (frame.body.size() > into.size()) throw Error(Code::corrupt, "more than was asked for of " + std::string(name));
  std::copy(frame.body.begin(), frame.body.end(), into.begin());
  return frame.body.size();
}

void PipedStorage::list(const Context& ctx, std::string_view prefix,
                        const std::function<void(const StoredObject&)>& take) {
  const Frame frame = call(ctx, {.operation = "list", .name = prefix});
  const json objects = parse_fields(frame.body, kWhat);
  for (const auto& fields : list_field(objects, "objects", kWhat)) take(object_from(fields));
}

bool PipedStorage::remove(const Context& ctx, std::string_view name) {
  return number(parse(call(ctx, {.operation = "remove", .name = name}).head), "removed") != 0;
}

std::optional<StoredObject> PipedStorage::stat(const Context& ctx, std::string_view name) {
  const json fields = parse(call(ctx, {.operation = "stat", .name = name}).head);
  if (!fields.contains("name")) return std::nullopt;
  return object_from(fields);
}

}  // namespace muster::backup
