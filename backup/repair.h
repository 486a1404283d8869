// Mends what check found: bad records are quarantined, so that the next backup stores them again, or are taken from a
// second repository; index tables are made anew from packs. Never removes a pack. One call is one thread's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backup/check.h"
#include "backup/repository.h"

namespace muster::backup {

struct RepairPlan {
  std::vector<DamagedRecord> quarantine;  // not quarantined yet
  std::vector<ObjectId> index_packs;      // to be read for a new table
  std::vector<ObjectId> remove_tables;    // damaged ones, after that
  std::vector<ChunkId> missing;           // to be looked for in the second repository

  bool empty() const { return quarantine.empty() && index_packs.empty() && remove_tables.empty() && missing.empty(); }
  // A line each, for --dry-run. Without a second repository nothing is looked for.
  std::vector<std::string> steps(bool has_second) const;
};

// `found`: by check(), of data too for damage in packs.
RepairPlan plan_repair(const base::Context& ctx, const Repository& repository, const CheckResult& found);

struct RepairResult {
  std::uint64_t quarantined = 0, indexed_packs = 0, indexed_records = 0, removed_tables = 0;
  std::uint64_t refilled = 0, still_missing = 0;
};
// `second`: nullptr, or another repository with the same data, of whatever keys.
RepairResult repair(const base::Context& ctx, const Repository& repository, const RepairPlan& plan,
                    const Repository* second, Progress& progress);

}  // namespace muster::backup
