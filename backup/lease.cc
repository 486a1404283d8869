#include "backup/lease.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "backup/fields.h"
#include "backup/object_names.h"
#include "backup/rfc3339.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;
using nlohmann::json;

constexpr std::array kKinds{LeaseKind::writer, LeaseKind::reader, LeaseKind::maintenance};

json map_fields(const DiskMap& map) {
  json fields = {{"size_bytes", map.size_bytes}, {"chunk_bytes", map.chunk_bytes}};
  if (map.root) fields["root"] = hex(*map.root);
  return fields;
}

DiskMap decode_map(const json& fields, std::string_view name) {
  if (!fields.is_object()) throw Error(Code::corrupt, std::string(name) + ": a map makes no sense");
  DiskMap map{.size_bytes = number_field(fields, "size_bytes", kMaxDiskBytes, name),
              .chunk_bytes = static_cast<std::uint32_t>(number_field(fields, "chunk_bytes", kMaxChunkBytes, name)),
              .root = std::nullopt};
  if (map.chunk_bytes < kMinChunkBytes) throw Error(Code::corrupt, std::string(name) + ": a map makes no sense");
  if (fields.contains("root")) map.root = parse_chunk_id(text_field(fields, "root", name), name);
  return map;
}

LeaseKind parse_kind(std::string_view text, std::string_view name) {
  for (const auto kind : kKinds)
    if (text == name_of(kind)) return kind;
  throw Error(Code::corrupt, std::string(name) + ": no kind of lease");
}

// What one object says, into what is known of its session.
void read_lease(const Context& ctx, const Repository& repository, const StoredObject& object, FoundLease& lease) {
  const auto opened = repository.get_document(ctx, repository.address(object.name, DocumentKind::lease));
  const json fields = parse_fields(opened.payload, object.name);
  if (fields.contains("since")) lease.first_seen = parse_rfc3339(text_field(fields, "since", object.name), object.name);
  lease.kind = parse_kind(text_field(fields, "kind", object.name), object.name);
  const auto host = repository.host(ctx, *opened.signer);
  lease.host = host ? host->label : opened.signer == repository.maintenance_signer() ? "maintenance" : "owner";
  for (const json& map : list_field(fields, "maps", object.name)) {
    DiskMap decoded = decode_map(map, object.name);
    decoded.domain = opened.domain;
    lease.contents.emplace_back(decoded);
  }
  for (const auto& root : texts_field(fields, "areas", object.name))
    lease.contents.emplace_back(AreaTree{.root = parse_chunk_id(root, object.name), .domain = opened.domain});
}

}  // namespace

const char* name_of(LeaseKind kind) {
  switch (kind) {
    case LeaseKind::writer:
      return "writer";
    case LeaseKind::reader:
      return "reader";
    case LeaseKind::maintenance:
      return "maintenance";
  }
  return "reader";
}

Lease::Lease(const Context& ctx, const Repository& repository, LeaseHolding holding, std::chrono::milliseconds renewal)
    : repository_(repository), holding_(std::move(holding)) {
  try {
    put(ctx);
  } catch (...) {
    // A stop may come between the object and what is asked of it.
    give_back(current_);
    throw;
  }
  thread_ = std::jthread([this, renewal](const std::stop_token& stop) { renew(stop, renewal); });
}

Lease::~Lease() {
  thread_.request_stop();
  thread_.join();
  give_back(current_);
}

void Lease::give_back(const std::string& name) noexcept {
  try {
    if (!name.empty()) repository_.storage().remove({}, name);
  } catch (const std::exception&) {
    // It expires.
  }
}

void Lease::put(const Context& ctx) {
  json maps = json::array(), areas = json::array();
  for (const auto& content : holding_.contents) {
    if (const auto* map = std::get_if<DiskMap>(&content)) maps.push_back(map_fields(*map));
    if (const auto* tree = std::get_if<AreaTree>(&content)) areas.push_back(hex(tree->root));
  }
  json fields = {{"kind", name_of(holding_.kind)}, {"maps", maps}};
  if (!areas.empty()) fields["areas"] = areas;
  if (since_) fields["since"] = rfc3339(*since_);
  const std::string name =
      numbered_name(kLeasesPrefix, {.of = session_, .number = number_++, .own = random_object_id()});
  repository_.put_document(ctx, repository_.address(name, DocumentKind::lease), fields_bytes(fields), Encrypted::yes);
  give_back(std::exchange(current_, name));
  if (const auto facts = since_ ? std::nullopt : repository_.storage().stat(ctx, name)) since_ = facts->stored;
}

void Lease::hold(const Context& ctx, LeaseHolding holding) {
  const std::lock_guard lock(mutex_);
  holding_ = std::move(holding);
  put(ctx);
}

void Lease::renew(const std::stop_token& stop, std::chrono::milliseconds every) {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, stop, every, [] { return false; }) && !stop.stop_requested()) {
    try {
      put({});
    } catch (const std::exception&) {
      // Tried again: without a lease everything is safe, and takes longer.
    }
  }
}

std::vector<FoundLease> find_leases(const Context& ctx, const Repository& repository, std::chrono::sys_seconds now) {
  std::vector<StoredObject> objects;
  repository.storage().list(ctx, kLeasesPrefix, [&](const StoredObject& object) { objects.push_back(object); });
  std::map<ObjectId, FoundLease> leases;
  for (const auto& object : objects) {
    const auto name = parse_numbered_name(kLeasesPrefix, object.name);
    if (!name) continue;
    FoundLease lease{.session = name->of, .first_seen = object.stored, .renewed = object.stored};
    try {
      read_lease(ctx, repository, object, lease);
    } catch (const Error& e) {
      if (e.code() != Code::not_found && e.code() != Code::corrupt && e.code() != Code::key) throw;
      if (e.code() != Code::not_found) ctx.warn(e.what());
      continue;
    }
    auto& known = leases.try_emplace(name->of, lease).first->second;
    known.first_seen = std::min(known.first_seen, object.stored);
    known.renewed = std::max(known.renewed, object.stored);
    known.contents.insert(known.contents.end(), lease.contents.begin(), lease.contents.end());
    known.objects.push_back(object.name);
  }
  std::vector<FoundLease> result;
  for (auto& [session, lease] : leases) {
    lease.expired = now - lease.renewed > kLeaseTime;
    result.push_back(std::move(lease));
  }
  return result;
}

std::chrono::sys_seconds store_time(const Context& ctx, const Repository& repository) {
  Storage& storage = repository.storage();
  const std::string name =
      numbered_name(kLeasesPrefix, {.of = random_object_id(), .number = 0, .own = random_object_id()});
  repository.put_document(ctx, repository.address(name, DocumentKind::lease),
                          fields_bytes({{"kind", "reader"}, {"maps", json::array()}}), Encrypted::no);
  const auto facts = storage.stat({}, name);
  storage.remove({}, name);
  if (!facts) throw Error(Code::io, name + ": is gone at once");
  return facts->stored;
}

}  // namespace muster::backup
