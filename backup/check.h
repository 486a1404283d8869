// Looks whether a repository is whole: every object against its checksum, every restore point's map down to its chunks,
// and all data too where that is asked for. Reads the repository itself, never a cache; changes nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backup/index.h"
#include "backup/progress.h"
#include "backup/repository.h"

namespace muster::backup {

enum class CheckDepth { structure, data };

struct CheckOptions {
  CheckDepth depth = CheckDepth::structure;
  // Of the packs, the part number `part` of `parts`, from 1.
  unsigned part = 1, parts = 1;
  unsigned workers = 0;
};

enum class FindingKind {
  object_damaged,  // a document, index table, or pack's frame
  record_damaged,  // a chunk or page in a pack
  chunk_missing,   // named by a map, and nowhere
  not_indexed,     // a pack that no table names: left by a killed writer, or a table is lost. Not damage by itself
  foreign,         // a file that is no object
};
const char* name_of(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::object_damaged;
  std::string object;
  std::string what;
};

struct CheckResult {
  std::vector<Finding> findings;  // at most kMaxFindings; `findings_total` counts all
  std::uint64_t findings_total = 0;
  std::vector<DamagedRecord> damaged;  // records to be quarantined
  std::vector<ObjectId> damaged_tables, damaged_packs, unindexed_packs;
  std::vector<ChunkId> missing;  // chunks and map pages that are nowhere whole
  // Restore points that cannot be restored whole, with a word on why.
  std::vector<std::pair<ObjectId, std::string>> broken_points;
  std::uint64_t objects = 0, points = 0, packs = 0, records = 0, bytes_read = 0;

  bool clean() const;
};
constexpr std::size_t kMaxFindings = 1000;

// Throws Error{cancelled, io, key}: what is found is no error.
CheckResult check(const base::Context& ctx, const Repository& repository, const CheckOptions& options,
                  Progress& progress);

}  // namespace muster::backup
