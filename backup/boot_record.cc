#include "backup/boot_record.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "backup/fields.h"
#include "backup/numbered_objects.h"
#include "backup/rfc3339.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::size_t kMaxStages = 16;
// A month: no try takes that long.
constexpr std::uint64_t kMaxMilliseconds = std::uint64_t{31} * 24 * 3600 * 1000;

milliseconds duration_field(const json& fields, const char* name, std::string_view what) {
  return milliseconds(number_field(fields, name, kMaxMilliseconds, what));
}

json encode(const BootRecord& record) {
  json reached = json::array();
  for (const auto& stage : record.reached)
    reached.push_back({{"stage", stage.stage}, {"after_ms", stage.after.count()}});
  json fields{{"time", rfc3339(record.time)},    {"booted", record.booted},   {"wanted", record.wanted},
              {"reached", std::move(reached)},   {"failure", record.failure}, {"duration_ms", record.duration.count()},
              {"hypervisor", record.hypervisor}, {"tool", record.tool}};
  if (record.script_status) fields["script_status"] = *record.script_status;
  return fields;
}

BootRecord decode(const json& fields, std::string_view name) {
  BootRecord record{.time = parse_rfc3339(text_field(fields, "time", name), name),
                    .wanted = text_field(fields, "wanted", name),
                    .reached = {},
                    .failure = text_field(fields, "failure", name),
                    .duration = duration_field(fields, "duration_ms", name),
                    .hypervisor = text_field(fields, "hypervisor", name),
                    .tool = text_field(fields, "tool", name)};
  const auto booted = fields.find("booted"), status = fields.find("script_status");
  record.booted = booted != fields.end() && booted->is_boolean() && booted->get<bool>();
  if (status != fields.end() && status->is_number_integer()) record.script_status = status->get<int>();
  const json& reached = list_field(fields, "reached", name);
  if (reached.size() > kMaxStages) throw Error(Code::corrupt, std::string(name) + ": names too many stages");
  for (const auto& stage : reached)
    record.reached.push_back({text_field(stage, "stage", name), duration_field(stage, "after_ms", name)});
  return record;
}

// A host's key may put, and remove nothing: then they stay until the point goes.
void remove_earlier(const Context& ctx, Storage& storage, const ObjectId& point, const std::string& newest) {
  for (const auto& [name, object] : list_numbered(ctx, storage, kBootsPrefix)) {
    if (name.of != point || object >= newest) continue;
    try {
      storage.remove(ctx, object);
    } catch (const Error& e) {
      if (e.code() != Code::io && e.code() != Code::refused) throw;
    }
  }
}

}  // namespace

std::string BootRecord::reached_last() const { return reached.empty() ? "nothing" : reached.back().stage; }

void put_boot_record(const Context& ctx, const Repository& repository, const ObjectId& point,
                     const BootRecord& record) {
  const std::string name = next_numbered_name(ctx, repository.storage(), kBootsPrefix, point);
  repository.put_document(ctx, repository.address(name, DocumentKind::boot), fields_bytes(encode(record)),
                          Encrypted::yes);
  remove_earlier(ctx, repository.storage(), point, name);
}

BootRecords read_boot_records(const Context& ctx, const Repository& repository) {
  BootRecords records;
  read_numbered(ctx, repository, kBootsPrefix, DocumentKind::boot, [&](const NumberedDocument& document) {
    BootRecord record = decode(document.fields, document.object);
    record.domain = document.domain;
    record.by_owner = document.by_owner;
    records[document.point].push_back(std::move(record));
  });
  return records;
}

const BootRecord* boot_record_of(const RestorePoint& point, const BootRecords& records) {
  const auto found = records.find(point.id);
  if (found == records.end()) return nullptr;
  const auto counts = [&](const BootRecord& record) { return record.by_owner || record.domain == point.domain; };
  const auto last = std::find_if(found->second.rbegin(), found->second.rend(), counts);
  return last == found->second.rend() ? nullptr : &*last;
}

}  // namespace muster::backup
