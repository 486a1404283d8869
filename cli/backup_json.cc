#include "cli/backup_json.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "backup/rfc3339.h"
#include "cli/json_lines.h"

namespace muster::cli {
namespace {

using nlohmann::json;

json disk_json(const backup::DiskPoint& disk) {
  json fields{
      {"disk", disk.disk}, {"source", disk.source}, {"format", disk.format}, {"size_bytes", disk.map.size_bytes}};
  if (!disk.whole_because.empty()) fields["whole_because"] = disk.whole_because;
  if (disk.proved) fields["proved"] = backup::rfc3339(*disk.proved);
  return fields;
}

json area_json(const backup::AreaPoint& area) {
  return {{"host", area.host},         {"path", area.path},
          {"excludes", area.excludes}, {"one_file_system", area.one_file_system},
          {"entries", area.entries},   {"files", area.files},
          {"changed", area.changed},   {"unread", area.unread},
          {"skipped", area.skipped}};
}

}  // namespace

BackupSuccess success_of(const backup::RestorePoint& point) {
  return {.bytes_read = point.bytes_read,
          .bytes_new = point.bytes_new,
          .bytes_stored = point.bytes_stored,
          .duration = seconds_of(point.duration),
          .consistency = point.consistency,
          .whole_disks = static_cast<std::uint64_t>(std::count_if(
              point.disks.begin(), point.disks.end(),
              [&](const backup::DiskPoint& disk) { return point.parent && !disk.whole_because.empty(); }))};
}

json point_json(const backup::RestorePoint& point) {
  json disks = json::array();
  for (const auto& disk : point.disks) disks.push_back(disk_json(disk));
  json fields = {{"point", backup::hex(point.id)},
                 {"name", point.name},
                 {"time", backup::rfc3339(point.time)},
                 {"tool", point.tool},
                 {"consistency", point.consistency},
                 {"parent", point.parent ? json(backup::hex(*point.parent)) : json()},
                 {"disks", disks},
                 {"tags", point.tags},
                 {"base", point.domain == backup::kBaseDomain},
                 {"size_bytes", point.size_bytes()},
                 {"bytes_dirty", point.bytes_dirty},
                 {"bytes_read", point.bytes_read},
                 {"bytes_audited", point.bytes_audited},
                 {"bytes_new", point.bytes_new},
                 {"bytes_stored", point.bytes_stored},
                 {"duration", seconds_of(point.duration)}};
  if (point.area) fields["area"] = area_json(*point.area);
  return fields;
}

json boot_json(const backup::BootRecord& record) {
  json reached = json::array();
  for (const auto& stage : record.reached)
    reached.push_back({{"stage", stage.stage}, {"after", seconds_of(stage.after)}});
  json fields{{"booted", record.booted},        {"time", backup::rfc3339(record.time)},
              {"wanted", record.wanted},        {"reached", std::move(reached)},
              {"failure", record.failure},      {"duration", seconds_of(record.duration)},
              {"hypervisor", record.hypervisor}};
  if (record.script_status) fields["script_status"] = *record.script_status;
  return fields;
}

json point_json(const backup::ListedPoint& listed, const backup::Labels& labels, const backup::BootRecord* boot) {
  json fields = point_json(listed.point);
  fields["host"] = listed.host;
  fields["stored"] = backup::rfc3339(listed.stored);
  fields["tags"] = labels.tags;
  fields["pinned"] = labels.pinned;
  if (boot != nullptr) fields["boot"] = boot_json(*boot);
  return fields;
}

}  // namespace muster::cli
