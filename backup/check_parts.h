// The parts of check.h: small objects and index tables, packs, maps. Each adds to what was found.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "backup/check.h"

namespace muster::backup {

// What was found so far. Thread-safe.
class Findings {
 public:
  void add(FindingKind kind, const std::string& object, const std::string& what);
  void add_damaged(const DamagedRecord& record, const std::string& what);
  void add_damaged_pack(const ObjectId& pack, const std::string& what);
  void add_missing(RecordKind kind, const ChunkId& id, const std::string& what);
  void count_object();
  void count_records(std::uint64_t records, std::uint64_t bytes);
  // Of one thread, once all others ended.
  CheckResult& result() { return result_; }

 private:
  std::mutex mutex_;
  CheckResult result_;
};

// Every object that is no pack: frame, checksum, signature; of index tables all entries too. Returns the packs that
// tables name.
std::set<ObjectId> check_objects(const base::Context& ctx, const Repository& repository, Findings& findings);

// Every pack's header and table; with CheckDepth::data those of the wanted part are read whole, and every record is
// opened as far as keys are held.
void check_packs(const base::Context& ctx, const Repository& repository, const CheckOptions& options,
                 const std::set<ObjectId>& indexed, Findings& findings, Progress& progress);

// Every restore point's map, page by page, and that each chunk is somewhere undamaged.
void check_maps(const base::Context& ctx, const Repository& repository, Findings& findings, Progress& progress);

}  // namespace muster::backup
