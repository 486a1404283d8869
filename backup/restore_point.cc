#include "backup/restore_point.h"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/format.h>
#include <fnmatch.h>
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

constexpr std::size_t kMaxNameBytes = 200, kMaxDisks = 1024, kMaxParts = 64;

json map_fields(const DiskMap& map) {
  json fields = {{"size_bytes", map.size_bytes}, {"chunk_bytes", map.chunk_bytes}};
  if (map.root) fields["root"] = hex(*map.root);
  return fields;
}

json disk_fields(const DiskPoint& disk) {
  json fields = map_fields(disk.map);
  fields.update({{"disk", disk.disk}, {"source", disk.source}, {"format", disk.format}});
  if (disk.source_modified_ns) fields["source_modified_ns"] = *disk.source_modified_ns;
  if (disk.source_changed_ns) fields["source_changed_ns"] = *disk.source_changed_ns;
  if (!disk.bitmap.empty()) fields["bitmap"] = disk.bitmap;
  if (!disk.whole_because.empty()) fields["whole_because"] = disk.whole_because;
  if (disk.proved) fields["proved"] = rfc3339(*disk.proved);
  if (disk.audit.parts != 0)
    fields["audit"] = {{"parts", disk.audit.parts}, {"next", disk.audit.next}, {"began", rfc3339(disk.audit.began)}};
  return fields;
}

json part_fields(const PartPoint& part) {
  json fields = map_fields(part.map);
  fields["part"] = part.part;
  return fields;
}

json machine_fields(const MachinePoint& machine) {
  json fields = {{"uuid", machine.uuid}, {"hypervisor", machine.hypervisor}};
  if (machine.checkpoint.empty()) return fields;
  fields.update({{"checkpoint", machine.checkpoint},
                 {"checkpoint_xml", machine.checkpoint_xml},
                 {"checkpoint_begins", machine.begins}});
  return fields;
}

json area_fields(const AreaPoint& area) {
  return {{"host", area.host},           {"path", area.path},
          {"excludes", area.excludes},   {"one_file_system", area.one_file_system},
          {"root", hex(area.tree.root)}, {"entries", area.entries},
          {"files", area.files},         {"size_bytes", area.size_bytes},
          {"changed", area.changed},     {"unread", area.unread},
          {"skipped", area.skipped},     {"began", rfc3339(area.began)}};
}

json point_fields(const RestorePoint& point) {
  json disks = json::array();
  for (const auto& disk : point.disks) disks.push_back(disk_fields(disk));
  json fields = {{"point", hex(point.id)},
                 {"name", point.name},
                 {"time", rfc3339(point.time)},
                 {"sequence", point.sequence},
                 {"tool", point.tool},
                 {"consistency", point.consistency},
                 {"tags", point.tags},
                 {"disks", disks},
                 {"bytes_dirty", point.bytes_dirty},
                 {"bytes_read", point.bytes_read},
                 {"bytes_new", point.bytes_new},
                 {"bytes_stored", point.bytes_stored},
                 {"duration_ms", static_cast<std::uint64_t>(point.duration.count())}};
  if (point.parent) fields["parent"] = hex(*point.parent);
  if (point.bytes_audited != 0) fields["bytes_audited"] = point.bytes_audited;
  for (const auto& part : point.parts) fields["parts"].push_back(part_fields(part));
  if (point.machine) fields["machine"] = machine_fields(*point.machine);
  if (point.area) fields["area"] = area_fields(*point.area);
  return fields;
}

DiskMap decode_map(const json& fields, std::string_view what) {
  DiskMap map{.size_bytes = number_field(fields, "size_bytes", kMaxDiskBytes, what),
              .chunk_bytes = static_cast<std::uint32_t>(number_field(fields, "chunk_bytes", kMaxChunkBytes, what)),
              .root = std::nullopt};
  if (map.chunk_bytes < kMinChunkBytes || (map.chunk_bytes & (map.chunk_bytes - 1)) != 0)
    throw Error(Code::corrupt, std::string(what) + ": chunks of a size that cannot be");
  if (fields.contains("root")) map.root = parse_chunk_id(text_field(fields, "root", what), what);
  return map;
}

std::optional<std::int64_t> optional_time(const json& fields, const char* name) {
  const auto found = fields.find(name);
  return found != fields.end() && found->is_number_integer() ? std::optional(found->get<std::int64_t>()) : std::nullopt;
}

AuditRound decode_audit(const json& fields, std::string_view what) {
  if (!fields.is_object()) throw Error(Code::corrupt, std::string(what) + ": an audit makes no sense");
  AuditRound audit{.parts = static_cast<std::uint32_t>(number_field(fields, "parts", kMaxAuditParts, what)),
                   .next = static_cast<std::uint32_t>(number_field(fields, "next", kMaxAuditParts, what)),
                   .began = parse_rfc3339(text_field(fields, "began", what), what)};
  if (audit.next >= audit.parts) throw Error(Code::corrupt, std::string(what) + ": an audit makes no sense");
  return audit;
}

DiskPoint decode_disk(const json& fields, std::string_view what) {
  if (!fields.is_object()) throw Error(Code::corrupt, std::string(what) + ": a disk makes no sense");
  DiskPoint disk{.disk = text_field(fields, "disk", what),
                 .source = text_field(fields, "source", what),
                 .format = text_field(fields, "format", what),
                 .map = decode_map(fields, what)};
  disk.source_modified_ns = optional_time(fields, "source_modified_ns");
  disk.source_changed_ns = optional_time(fields, "source_changed_ns");
  if (fields.contains("bitmap")) disk.bitmap = text_field(fields, "bitmap", what);
  if (fields.contains("whole_because")) disk.whole_because = text_field(fields, "whole_because", what);
  if (fields.contains("proved")) disk.proved = parse_rfc3339(text_field(fields, "proved", what), what);
  if (fields.contains("audit")) disk.audit = decode_audit(fields["audit"], what);
  return disk;
}

PartPoint decode_part(const json& fields, std::string_view what) {
  if (!fields.is_object()) throw Error(Code::corrupt, std::string(what) + ": a part makes no sense");
  return {.part = text_field(fields, "part", what), .map = decode_map(fields, what)};
}

MachinePoint decode_machine(const json& fields, std::string_view what) {
  if (!fields.is_object()) throw Error(Code::corrupt, std::string(what) + ": its machine makes no sense");
  MachinePoint machine{.uuid = text_field(fields, "uuid", what), .hypervisor = text_field(fields, "hypervisor", what)};
  if (!fields.contains("checkpoint")) return machine;
  machine.checkpoint = text_field(fields, "checkpoint", what);
  machine.checkpoint_xml = text_field(fields, "checkpoint_xml", what);
  machine.begins = fields.contains("checkpoint_begins") && fields["checkpoint_begins"] == true;
  return machine;
}

AreaPoint decode_area(const json& fields, std::string_view what) {
  if (!fields.is_object()) throw Error(Code::corrupt, std::string(what) + ": its area makes no sense");
  const auto number = [&](const char* name) { return number_field(fields, name, UINT64_MAX, what); };
  AreaPoint area{.host = text_field(fields, "host", what),
                 .path = text_field(fields, "path", what),
                 .excludes = texts_field(fields, "excludes", what),
                 .one_file_system = fields.contains("one_file_system") && fields["one_file_system"] == true,
                 .tree = {.root = parse_chunk_id(text_field(fields, "root", what), what)},
                 .entries = number("entries"),
                 .files = number("files"),
                 .size_bytes = number("size_bytes"),
                 .changed = number("changed"),
                 .unread = number("unread"),
                 .skipped = number("skipped"),
                 .began = parse_rfc3339(text_field(fields, "began", what), what)};
  return area;
}

RestorePoint decode_point(base::ByteView payload, const ObjectId& id, std::string_view what) {
  const json fields = parse_fields(payload, what);
  RestorePoint point{.id = id_field(fields, "point", what),
                     .name = text_field(fields, "name", what),
                     .time = parse_rfc3339(text_field(fields, "time", what), what),
                     .tool = text_field(fields, "tool", what),
                     .consistency = text_field(fields, "consistency", what),
                     .parent = std::nullopt,
                     .tags = texts_field(fields, "tags", what),
                     .disks = {},
                     .parts = {},
                     .machine = {},
                     .bytes_dirty = number_field(fields, "bytes_dirty", UINT64_MAX, what),
                     .bytes_read = number_field(fields, "bytes_read", UINT64_MAX, what),
                     .bytes_new = number_field(fields, "bytes_new", UINT64_MAX, what),
                     .bytes_stored = number_field(fields, "bytes_stored", UINT64_MAX, what),
                     .duration = std::chrono::milliseconds(number_field(fields, "duration_ms", INT64_MAX, what))};
  if (point.id != id) throw Error(Code::corrupt, std::string(what) + ": says it is another restore point");
  try {
    check_point_name(point.name);
  } catch (const Error&) {
    throw Error(Code::corrupt, std::string(what) + ": its machine's name makes no sense");
  }
  if (fields.contains("bytes_audited")) point.bytes_audited = number_field(fields, "bytes_audited", UINT64_MAX, what);
  if (fields.contains("sequence")) point.sequence = number_field(fields, "sequence", UINT64_MAX, what);
  if (fields.contains("parent")) point.parent = id_field(fields, "parent", what);
  const json& disks = list_field(fields, "disks", what);
  if (disks.size() > kMaxDisks) throw Error(Code::corrupt, std::string(what) + ": too many disks");
  for (const json& disk : disks) point.disks.push_back(decode_disk(disk, what));
  const json& parts = list_field(fields, "parts", what);
  if (parts.size() > kMaxParts) throw Error(Code::corrupt, std::string(what) + ": too many parts");
  for (const json& part : parts) point.parts.push_back(decode_part(part, what));
  if (fields.contains("machine")) point.machine = decode_machine(fields["machine"], what);
  if (fields.contains("area")) point.area = decode_area(fields["area"], what);
  return point;
}

bool may_name(const Host& host, const std::string& name) {
  return host.names.empty() || std::any_of(host.names.begin(), host.names.end(), [&](const std::string& glob) {
           return ::fnmatch(glob.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
         });
}

// Confirmed by who made it, or rejected by maintenance.
PointState read_decision(const Context& ctx, const Repository& repository, const ListedPoint& listed) {
  const std::string name = object_name(kDecisionsPrefix, listed.point.id);
  try {
    const auto opened = repository.get_document(ctx, repository.address(name, DocumentKind::decision));
    const json fields = parse_fields(opened.payload, name);
    if (id_field(fields, "point", name) != listed.point.id) throw Error(Code::corrupt, name + ": is of another point");
    const bool confirmed = text_field(fields, "state", name) == "confirmed";
    if (opened.signer != (confirmed ? listed.signer : repository.maintenance_signer()))
      throw Error(Code::corrupt, name + ": not signed by who may decide that");
    return confirmed ? PointState::confirmed : PointState::rejected;
  } catch (const Error& e) {
    if (e.code() != Code::not_found) throw;
    return PointState::unconfirmed;
  }
}

std::set<ObjectId> forgotten_points(const Context& ctx, const Repository& repository) {
  std::vector<std::string> names;
  repository.storage().list(ctx, kForgottenPrefix, [&](const StoredObject& object) { names.push_back(object.name); });
  std::set<ObjectId> points;
  for (const auto& name : names) {
    if (!id_in_name(kForgottenPrefix, name)) continue;
    try {
      const auto payload = repository.get_maintenance(ctx, repository.address(name, DocumentKind::forgotten));
      for (const auto& id : ids_field(parse_fields(payload, name), "points", name)) points.insert(id);
    } catch (const Error& e) {
      if (e.code() == Code::corrupt) ctx.warn(std::string(e.what()) + "; it forgets nothing");
      if (e.code() != Code::corrupt && e.code() != Code::not_found) throw;
    }
  }
  return points;
}

void remove_points(const Context& ctx, const Repository& repository, const std::vector<ObjectId>& points) {
  // The point first: without its decision it would look like one that is being made.
  for (const auto& id : points) {
    repository.storage().remove(ctx, object_name(kPointsPrefix, id));
    repository.storage().remove(ctx, object_name(kDecisionsPrefix, id));
  }
}

}  // namespace

std::uint64_t RestorePoint::size_bytes() const {
  std::uint64_t bytes = area ? area->size_bytes : 0;
  for (const auto& disk : disks) bytes += disk.map.size_bytes;
  return bytes;
}

std::vector<Content> RestorePoint::contents() const {
  std::vector<Content> all;
  for (const auto& disk : disks) all.emplace_back(disk.map);
  for (const auto& part : parts) all.emplace_back(part.map);
  if (area) all.emplace_back(area->tree);
  return all;
}

void check_point_name(const std::string& name) {
  const bool bad_byte = std::any_of(name.begin(), name.end(), [](unsigned char c) {
    return std::iscntrl(c) != 0 || c == '@' || c == '/' || c == ':';
  });
  if (name.empty() || name.size() > kMaxNameBytes || bad_byte || name.front() == ' ' || name.back() == ' ')
    throw Error(Code::usage, fmt::format("'{}' cannot be a machine's name: 1 to {} bytes without '@', '/', ':' and "
                                         "control characters",
                                         name, kMaxNameBytes));
}

void put_point(const Context& ctx, const Repository& repository, const RestorePoint& point) {
  const std::string name = object_name(kPointsPrefix, point.id);
  repository.put_document(ctx, repository.address(name, DocumentKind::point), fields_bytes(point_fields(point)),
                          Encrypted::yes);
}

ListedPoint get_point(const Context& ctx, const Repository& repository, const ObjectId& id) {
  const std::string name = object_name(kPointsPrefix, id);
  const auto opened = repository.get_document(ctx, repository.address(name, DocumentKind::point));
  ListedPoint listed{
      .point = decode_point(opened.payload, id, name), .signer = *opened.signer, .host = {}, .stored = {}};
  listed.point.domain = opened.domain;
  for (auto& disk : listed.point.disks) disk.map.domain = opened.domain;
  for (auto& part : listed.point.parts) part.map.domain = opened.domain;
  if (listed.point.area) listed.point.area->tree.domain = opened.domain;
  listed.state = read_decision(ctx, repository, listed);
  const auto facts = repository.storage().stat(
      ctx, object_name(listed.state == PointState::unconfirmed ? kPointsPrefix : kDecisionsPrefix, id));
  if (!facts) throw Error(Code::not_found, name + ": is not there any more");
  listed.stored = facts->stored;
  if (listed.signer == repository.owner_signer()) {
    listed.host = "owner";
    return listed;
  }
  const auto host = repository.host(ctx, listed.signer);
  listed.trusted = host && may_name(*host, listed.point.name) && opened.domain == host->domain &&
                   (!host->revoked || listed.stored <= *host->revoked);
  if (host) listed.host = host->label;
  return listed;
}

bool is_kept(const Context& ctx, const Repository& repository, const ObjectId& id) {
  return !forgotten_points(ctx, repository).contains(id) &&
         repository.storage().stat(ctx, object_name(kPointsPrefix, id)).has_value();
}

PointState decide_point(const Context& ctx, const Repository& repository, const ObjectId& id, PointState state) {
  const std::string name = object_name(kDecisionsPrefix, id);
  const bool confirm = state == PointState::confirmed;
  const auto payload = fields_bytes({{"point", hex(id)}, {"state", confirm ? "confirmed" : "rejected"}});
  const auto address = repository.address(name, DocumentKind::decision);
  const Put put = confirm ? repository.put_document(ctx, address, payload, Encrypted::no)
                          : repository.put_maintenance(ctx, address, payload);
  const std::string point = object_name(kPointsPrefix, id);
  if (put == Put::created) return !confirm || repository.storage().stat(ctx, point) ? state : PointState::rejected;
  try {
    return get_point(ctx, repository, id).state;
  } catch (const Error& e) {
    if (e.code() != Code::not_found) throw;
    return PointState::rejected;  // and removed
  }
}

std::vector<ListedPoint> list_all_points(const Context& ctx, const Repository& repository,
                                         const OnUnreadable& unreadable) {
  const auto forgotten = forgotten_points(ctx, repository);
  std::vector<ObjectId> ids;
  repository.storage().list(ctx, kPointsPrefix, [&](const StoredObject& object) {
    const auto id = id_in_name(kPointsPrefix, object.name);
    if (id && !forgotten.contains(*id)) ids.push_back(*id);
  });
  std::vector<ListedPoint> points;
  for (const auto& id : ids) {
    ctx.check_stop();
    try {
      points.push_back(get_point(ctx, repository, id));
    } catch (const Error& e) {
      if (e.code() != Code::corrupt && e.code() != Code::not_found && e.code() != Code::key) throw;
      if (e.code() != Code::not_found) unreadable(object_name(kPointsPrefix, id), e);
    }
  }
  std::sort(points.begin(), points.end(), [](const ListedPoint& a, const ListedPoint& b) {
    return std::tie(a.point.time, a.point.sequence, a.stored, a.point.id) <
           std::tie(b.point.time, b.point.sequence, b.stored, b.point.id);
  });
  return points;
}

std::vector<ListedPoint> list_points(const Context& ctx, const Repository& repository) {
  auto points = list_all_points(ctx, repository, [&](const std::string&, const Error& why) {
    // Those of other domains are none of this key's business.
    if (why.code() != Code::key) ctx.warn(why.what());
  });
  std::erase_if(points, [&](const ListedPoint& listed) {
    if (!listed.trusted)
      ctx.warn(fmt::format("restore point {} of '{}' was made by a host that may not: it is passed over",
                           hex(listed.point.id), listed.point.name));
    return listed.state != PointState::confirmed || !listed.trusted;
  });
  return points;
}

void forget_points(const Context& ctx, const Repository& repository, const std::vector<ObjectId>& points) {
  if (points.empty()) return;
  const std::string name = object_name(kForgottenPrefix, random_object_id());
  repository.put_maintenance(ctx, repository.address(name, DocumentKind::forgotten),
                             fields_bytes({{"points", hex_list(points)}}));
  remove_points(ctx, repository, points);
  repository.storage().remove(ctx, name);
}

void finish_forgetting(const Context& ctx, const Repository& repository) {
  std::vector<std::string> names;
  repository.storage().list(ctx, kForgottenPrefix, [&](const StoredObject& object) { names.push_back(object.name); });
  for (const auto& name : names) {
    if (!id_in_name(kForgottenPrefix, name)) continue;
    try {
      const auto payload = repository.get_maintenance(ctx, repository.address(name, DocumentKind::forgotten));
      remove_points(ctx, repository, ids_field(parse_fields(payload, name), "points", name));
      repository.storage().remove(ctx, name);
    } catch (const Error& e) {
      if (e.code() != Code::not_found && e.code() != Code::corrupt) throw;
    }
  }
}

}  // namespace muster::backup
