#include "backup/repair.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "backup/chunk_reader.h"
#include "backup/lease.h"
#include "backup/object_names.h"
#include "backup/refill.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;

// The records of packs, by their tables or, where those are damaged, by themselves.
PackContents contents_of(const Context& ctx, const Repository& repository, const ObjectId& pack) {
  try {
    return read_pack_table(ctx, repository.storage(), repository.id(), pack);
  } catch (const Error& e) {
    if (e.code() != Code::corrupt) throw;
    const base::Bytes bytes = get_all(ctx, repository.storage(), pack_name(pack), kMaxPackBytes);
    return scan_pack(repository.id(), pack, bytes).contents;
  }
}

constexpr std::size_t kTableEntries = 256U << 10;

// A pack is signed by nobody. The owner has read its records and knows the bad ones: what is left holds for the domain
// of its keys, and the base's for all. Whoever cannot read them makes them findable, and no more.
Witness witness_of_pack(const Repository& repository, const PackContents& pack) {
  if (repository.credential().role != Role::owner || pack.keys.empty()) return kNobody;
  const Domain domain = pack.keys.front().domain;
  for (const auto& key : pack.keys)
    if (key.domain != domain) return kNobody;
  return domain == kBaseDomain ? Witness() : Witness(domain);
}

// What goes into one table.
struct NewTable {
  std::vector<ObjectId> packs;
  std::vector<IndexEntry> entries;
};

void index_packs(const Context& ctx, const Repository& repository, const std::vector<ObjectId>& packs,
                 RepairResult& result, Progress& progress) {
  std::map<Witness, NewTable> tables;
  const auto put = [&](const Witness& witness, NewTable& table) {
    if (table.entries.empty()) return;
    result.indexed_records += table.entries.size();
    auto builder = build_index_table(std::move(table.packs), std::move(table.entries));
    put_index_table(ctx, repository, builder, witness);
    table = {};
  };
  progress.begin(Progress::Unit::packs, packs.size());
  for (const auto& pack : packs) {
    ctx.check_stop();
    try {
      const PackContents contents = contents_of(ctx, repository, pack);
      const Witness witness = witness_of_pack(repository, contents);
      NewTable& table = tables[witness];
      for (const auto& place : contents.places)
        table.entries.push_back({place, static_cast<std::uint32_t>(table.packs.size())});
      table.packs.push_back(pack);
      ++result.indexed_packs;
      if (table.entries.size() >= kTableEntries) put(witness, table);
    } catch (const Error& e) {
      // Pruned meanwhile, or no pack of this repository.
      if (e.code() != Code::not_found && e.code() != Code::corrupt && e.code() != Code::key) throw;
      if (e.code() != Code::not_found) ctx.warn(e.what());
    }
    ++progress.done;
  }
  for (auto& [witness, table] : tables) put(witness, table);
}

template <typename Id>
void sort_unique(std::vector<Id>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

}  // namespace

std::vector<std::string> RepairPlan::steps(bool has_second) const {
  std::vector<std::string> lines;
  if (!index_packs.empty()) lines.push_back(fmt::format("index {} packs anew", index_packs.size()));
  if (!remove_tables.empty()) lines.push_back(fmt::format("remove {} damaged index tables", remove_tables.size()));
  if (!quarantine.empty())
    lines.push_back(
        fmt::format("quarantine {} damaged or missing records: the next backup stores them again", quarantine.size()));
  if (!missing.empty() && has_second)
    lines.push_back(fmt::format("look for {} chunks and map pages in the second repository", missing.size()));
  return lines;
}

RepairPlan plan_repair(const Context& ctx, const Repository& repository, const CheckResult& found) {
  RepairPlan plan;
  const auto known = read_damaged(ctx, repository);
  for (const auto& record : found.damaged)
    if (!known.contains(record)) plan.quarantine.push_back(record);
  // What is nowhere is nobody's to rely on, either: the next backup that reads it stores it again.
  std::set<ChunkId> quarantined;
  for (const auto& record : known) quarantined.insert(record.id);
  for (const auto& record : plan.quarantine) quarantined.insert(record.id);
  for (const auto& id : found.missing)
    if (!quarantined.contains(id)) plan.quarantine.push_back({.pack = {}, .id = id});
  plan.remove_tables = found.damaged_tables;
  // A damaged table may have named any pack: all that no whole table names are read.
  plan.index_packs = found.unindexed_packs;
  // One whose frame is damaged is indexed by its records.
  plan.index_packs.insert(plan.index_packs.end(), found.damaged_packs.begin(), found.damaged_packs.end());
  plan.missing = found.missing;
  for (const auto& record : found.damaged) plan.missing.push_back(record.id);
  sort_unique(plan.quarantine);
  sort_unique(plan.index_packs);
  sort_unique(plan.missing);
  return plan;
}

RepairResult repair(const Context& ctx, const Repository& repository, const RepairPlan& plan, const Repository* second,
                    Progress& progress) {
  RepairResult result;
  // Prune leaves alone what a writer may be at.
  const Lease lease(ctx, repository, {.kind = LeaseKind::writer, .contents = {}});
  // What is damaged is known to be so before a table names it again.
  if (!plan.quarantine.empty()) put_damaged(ctx, repository, plan.quarantine);
  // First what is found again, then what hides it goes: killed in between, nothing is lost.
  index_packs(ctx, repository, plan.index_packs, result, progress);
  for (const auto& table : plan.remove_tables)
    if (repository.storage().remove(ctx, object_name(kIndexPrefix, table))) ++result.removed_tables;
  result.quarantined = plan.quarantine.size();
  result.still_missing = plan.missing.size();
  if (second != nullptr && !plan.missing.empty()) {
    result.refilled = refill(ctx, repository, plan.missing, *second, progress);
    result.still_missing -= result.refilled;
  }
  return result;
}

}  // namespace muster::backup
