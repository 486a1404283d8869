#include "backup/storage_service.h"

#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

#include "backup/fields.h"
#include "backup/object_name.h"
#include "backup/object_names.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Bytes;
using base::Code;
using base::Context;
using base::Error;
using base::Frame;
using nlohmann::json;

constexpr const char* kRequest = "a request to a storage";

std::uint64_t number(const json& fields, const char* name) {
  return number_field(fields, name, std::numeric_limits<std::uint64_t>::max(), kRequest);
}

json to_json(const StoredObject& object) {
  return {{"name", object.name},
          {"size", object.size_bytes},
          {"stored", std::max<std::int64_t>(object.stored.time_since_epoch().count(), 0)}};
}

}  // namespace

Frame StorageService::answer(const Context& ctx, const Frame& request) {
  std::uint64_t id = 0;
  json refusal;
  try {
    id = number(parse_fields(base::as_bytes(request.head), kRequest), "call");
    return do_it(ctx, request, id);
  } catch (const Error& e) {
    refusal = {{"answer", id}, {"error", base::name_of(e.code())}, {"text", e.what()}};
  } catch (const std::exception& e) {
    refusal = {{"answer", id}, {"error", base::name_of(Code::io)}, {"text", e.what()}};
  }
  return {.head = refusal.dump(-1, ' ', true, json::error_handler_t::replace), .body = {}};
}

// As far as there are so many: no memory is taken for what is only asked for.
std::size_t StorageService::present_bytes(const Context& ctx, const std::string& name, std::uint64_t offset,
                                          std::uint64_t size) const {
  constexpr std::uint64_t kSmall = 1U << 20;
  if (size <= kSmall) return static_cast<std::size_t>(size);
  const auto object = storage_.stat(ctx, name);
  if (!object) throw Error(Code::not_found, "object " + name + " in " + storage_.where() + ": is not there");
  return static_cast<std::size_t>(object->size_bytes > offset ? std::min(size, object->size_bytes - offset) : 0);
}

Frame StorageService::do_it(const Context& ctx, const Frame& request, std::uint64_t id) {
  const json fields = parse_fields(base::as_bytes(request.head), kRequest);
  const std::string operation = text_field(fields, "storage", kRequest);
  const std::string name = text_field(fields, "name", kRequest);
  json head{{"answer", id}};
  Bytes body;
  if (operation == "put") {
    check_put(name);
    const bool created = backup::put_new(ctx, storage_, name, request.body) == Put::created;
    const std::lock_guard lock(mutex_);
    if (created) own_.insert(name);
    head["created"] = created ? 1 : 0;
  } else if (operation == "get") {
    check_object_name(name);
    check_seen(name);
    const std::uint64_t offset = number(fields, "offset");
    body.resize(present_bytes(ctx, name, offset, number(fields, "size")));
    body.resize(storage_.get_range(ctx, name, offset, body));
  } else if (operation == "list") {
    check_seen(name);
    json objects = json::array();
    storage_.list(ctx, name, [&](const StoredObject& object) { objects.push_back(to_json(object)); });
    body = fields_bytes({{"objects", std::move(objects)}});
  } else if (operation == "remove") {
    check_removal(name);
    head["removed"] = storage_.remove(ctx, name) ? 1 : 0;
  } else if (operation == "stat") {
    check_object_name(name);
    check_seen(name);
    if (const auto object = storage_.stat(ctx, name)) head.update(to_json(*object));
  } else {
    throw Error(Code::unsupported, "no operation '" + operation + "' of a storage");
  }
  return {.head = head.dump(), .body = std::move(body)};
}

bool StorageService::has_put(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return own_.contains(name);
}

void StorageService::check_put(const std::string& name) const {
  check_object_name(name);
  if (rights_ == Rights::all) return;
  bool fits = id_in_pack_name(name).has_value() || parse_numbered_name(kLeasesPrefix, name).has_value();
  for (const auto prefix : {kIndexPrefix, kPointsPrefix}) fits = fits || id_in_name(prefix, name).has_value();
  if (const auto point = id_in_name(kDecisionsPrefix, name)) fits = has_put(object_name(kPointsPrefix, *point));
  if (!fits) throw Error(Code::refused, name + ": a backup makes no such object");
}

void StorageService::check_removal(const std::string& name) const {
  check_object_name(name);
  if (rights_ == Rights::all) return;
  bool fits = parse_numbered_name(kLeasesPrefix, name).has_value();
  if (const auto point = id_in_name(kPointsPrefix, name)) fits = !has_put(object_name(kDecisionsPrefix, *point));
  if (!fits || !has_put(name)) throw Error(Code::refused, name + ": a backup does not remove that");
}

// Passphrases can be tried on key slots.
void StorageService::check_seen(const std::string& name) const {
  const bool slots = name.empty() || name.starts_with(kKeysPrefix);
  if (rights_ == Rights::backup && slots) throw Error(Code::refused, name + ": key slots are not for a backup");
}

}  // namespace muster::backup
