// Writes what is needed of some packs into new ones, without opening it: a record says nothing of where it stands. One
// call is one thread's.
#pragma once

#include <set>

#include "backup/marks.h"
#include "backup/progress.h"
#include "backup/repository.h"

namespace muster::backup {

struct Repacked {
  std::set<ObjectId> packs;  // whose needed records all stand in new packs, indexed
  std::uint64_t copied_bytes = 0;
};

// A pack with a damaged record stays out, and is warned of.
Repacked repack(const base::Context& ctx, const Repository& repository, const Marks& marks,
                const std::set<ObjectId>& packs, Progress* progress = nullptr);

}  // namespace muster::backup
