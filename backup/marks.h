// Which records restore points need: a bit for every entry of every index table. What letting go stands on, so whatever
// cannot be read is an error here. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "backup/index.h"
#include "backup/lease.h"
#include "backup/repository.h"
#include "backup/restore_point.h"

namespace muster::backup {

struct PackUse {
  std::uint64_t size_bytes = 0;  // of the object
  std::uint64_t live_bytes = 0;  // of records that are needed
  std::chrono::sys_seconds stored;
  bool indexed = false;  // some table names it
};

class Marks {
 public:
  // Reads all tables, then lists packs; then marks what `points` and the maps of `leases` need.
  // Throws Error{corrupt} where a table or map page cannot be read, or a record that is needed is nowhere; not for
  // points that are not confirmed, whose makers look themselves.
  Marks(const base::Context& ctx, const Repository& repository, const std::vector<ListedPoint>& points,
        const std::vector<FoundLease>& leases);

  // Something that was let be missing is in no table.
  bool misses_something() const { return misses_something_; }
  const std::map<ObjectId, PackUse>& packs() const { return packs_; }
  std::uint64_t live_bytes() const;

  struct Needed {
    ObjectId pack;
    RecordPlace place;
    Witness witness;
  };
  // Calls `take` for every needed record of these packs.
  void each_needed(const base::Context& ctx, const std::set<ObjectId>& packs,
                   const std::function<void(const Needed&)>& take) const;
  // Calls `take` with every pack that is there and has the record undamaged, by a witness as good as that of `needed`.
  void copies_of(const base::Context& ctx, const Needed& needed,
                 const std::function<void(const ObjectId&)>& take) const;

 private:
  struct Table {
    IndexTable table;
    Witness witness;
    std::vector<bool> needed;
  };
  enum class Missing { is_an_error, is_let_be };
  void load(const base::Context& ctx);
  bool mark(const base::Context& ctx, RecordKind kind, const ChunkId& id, Missing missing);
  void mark_content(const base::Context& ctx, ChunkReader& chunks, const Content& content, Missing missing);
  void add_up(const base::Context& ctx);

  const Repository& repository_;
  std::vector<Table> tables_;
  std::map<ObjectId, PackUse> packs_;
  std::set<DamagedRecord> damaged_;
  bool misses_something_ = false;
  std::unordered_set<ChunkId> seen_pages_;
};

}  // namespace muster::backup
