#include "backup/check.h"

#include <algorithm>

#include "backup/check_parts.h"
#include "backup/object_names.h"

namespace muster::backup {

const char* name_of(FindingKind kind) {
  switch (kind) {
    case FindingKind::object_damaged:
      return "damaged object";
    case FindingKind::record_damaged:
      return "damaged record";
    case FindingKind::chunk_missing:
      return "missing";
    case FindingKind::not_indexed:
      return "not indexed";
    case FindingKind::foreign:
      return "foreign";
  }
  return "damaged object";
}

bool CheckResult::clean() const {
  const bool whole =
      broken_points.empty() && damaged.empty() && missing.empty() && damaged_tables.empty() && damaged_packs.empty();
  return whole && std::all_of(findings.begin(), findings.end(), [](const Finding& finding) {
           return finding.kind == FindingKind::not_indexed || finding.kind == FindingKind::foreign;
         });
}

void Findings::add(FindingKind kind, const std::string& object, const std::string& what) {
  const std::lock_guard lock(mutex_);
  ++result_.findings_total;
  if (result_.findings.size() < kMaxFindings) result_.findings.push_back({kind, object, what});
}

void Findings::add_damaged(const DamagedRecord& record, const std::string& what) {
  {
    const std::lock_guard lock(mutex_);
    result_.damaged.push_back(record);
  }
  add(FindingKind::record_damaged, pack_name(record.pack), what);
}

void Findings::add_damaged_pack(const ObjectId& pack, const std::string& what) {
  {
    const std::lock_guard lock(mutex_);
    result_.damaged_packs.push_back(pack);
  }
  add(FindingKind::object_damaged, pack_name(pack), what);
}

void Findings::add_missing(RecordKind kind, const ChunkId& id, const std::string& what) {
  {
    const std::lock_guard lock(mutex_);
    result_.missing.push_back(id);
  }
  add(FindingKind::chunk_missing, (kind == RecordKind::chunk ? "chunk " : "map page ") + hex(id), what);
}

void Findings::count_object() {
  const std::lock_guard lock(mutex_);
  ++result_.objects;
}

void Findings::count_records(std::uint64_t records, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  result_.records += records;
  result_.bytes_read += bytes;
}

CheckResult check(const base::Context& ctx, const Repository& repository, const CheckOptions& options,
                  Progress& progress) {
  Findings findings;
  const auto indexed = check_objects(ctx, repository, findings);
  check_packs(ctx, repository, options, indexed, findings, progress);
  check_maps(ctx, repository, findings, progress);
  return findings.result();
}

}  // namespace muster::backup
