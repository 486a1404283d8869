#include "backup/repair.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "backup/chunk_reader.h"
#include "backup/object_names.h"
#include "backup/refill.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;

// The records of packs, by their tables or, where those are damaged, by themselves.
std::vector<RecordPlace> places_of(const Context& ctx, const Repository& repository, const ObjectId& pack) {
  try {
    return read_pack_table(ctx, repository.storage(), repository.id(), pack).places;
  } catch (const Error& e) {
    if (e.code() != Code::corrupt) throw;
    const base::Bytes bytes = get_all(ctx, repository.storage(), pack_name(pack), kMaxPackBytes);
    return scan_pack(repository.id(), pack, bytes).contents.places;
  }
}

constexpr std::size_t kTableEntries = 256U << 10;

void index_packs(const Context& ctx, const Repository& repository, const std::vector<ObjectId>& packs,
                 RepairResult& result) {
  std::vector<ObjectId> named;
  std::vector<IndexEntry> entries;
  const auto put = [&] {
    if (entries.empty()) return;
    result.indexed_records += entries.size();
    auto builder = build_index_table(std::move(named), std::move(entries));
    put_index_table(ctx, repository, builder);
    named.clear();
    entries.clear();
  };
  for (const auto& pack : packs) {
    ctx.check_stop();
    try {
      for (const auto& place : places_of(ctx, repository, pack))
        entries.push_back({place, static_cast<std::uint32_t>(named.size())});
      named.push_back(pack);
      ++result.indexed_packs;
    } catch (const Error& e) {
      if (e.code() != Code::not_found) throw;  // pruned meanwhile
    }
    if (entries.size() >= kTableEntries) put();
  }
  put();
}

template <typename Id>
void sort_unique(std::vector<Id>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

}  // namespace

std::vector<std::string> RepairPlan::steps() const {
  std::vector<std::string> lines;
  if (!index_packs.empty()) lines.push_back(fmt::format("index {} packs anew", index_packs.size()));
  if (!remove_tables.empty()) lines.push_back(fmt::format("remove {} damaged index tables", remove_tables.size()));
  if (!quarantine.empty())
    lines.push_back(fmt::format("quarantine {} damaged records: the next backup stores them again", quarantine.size()));
  if (!missing.empty())
    lines.push_back(fmt::format("look for {} chunks and map pages in the second repository", missing.size()));
  return lines;
}

RepairPlan plan_repair(const Context& ctx, const Repository& repository, const CheckResult& found) {
  RepairPlan plan;
  const auto known = read_damaged(ctx, repository);
  for (const auto& record : found.damaged)
    if (!known.contains(record)) plan.quarantine.push_back(record);
  plan.remove_tables = found.damaged_tables;
  // A damaged table may have named any pack: all that no whole table names are read.
  plan.index_packs = found.unindexed_packs;
  // One whose frame is damaged is indexed by its records.
  plan.index_packs.insert(plan.index_packs.end(), found.damaged_packs.begin(), found.damaged_packs.end());
  plan.missing = found.missing;
  for (const auto& record : found.damaged) plan.missing.push_back(record.id);
  sort_unique(plan.index_packs);
  sort_unique(plan.missing);
  return plan;
}

RepairResult repair(const Context& ctx, const Repository& repository, const RepairPlan& plan,
                    const Repository* second) {
  RepairResult result;
  // First what is found again, then what hides it goes: killed in between, nothing is lost.
  index_packs(ctx, repository, plan.index_packs, result);
  for (const auto& table : plan.remove_tables)
    if (repository.storage().remove(ctx, object_name(kIndexPrefix, table))) ++result.removed_tables;
  if (!plan.quarantine.empty()) put_damaged(ctx, repository, plan.quarantine);
  result.quarantined = plan.quarantine.size();
  result.still_missing = plan.missing.size();
  if (second != nullptr && !plan.missing.empty()) {
    result.refilled = refill(ctx, repository, plan.missing, *second);
    result.still_missing -= result.refilled;
  }
  return result;
}

}  // namespace muster::backup
