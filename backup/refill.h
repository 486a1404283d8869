// Takes chunks and map pages that are lost here from a second repository, whatever keys that has: what bytes are is
// told by the name they have here. One call is one thread's.
#pragma once

#include <vector>

#include "backup/progress.h"
#include "backup/repository.h"

namespace muster::backup {

// Returns how many of `missing` were found and stored. Reads the second repository's index where that is a copy of this
// one, and all of its chunks where it is another. Map pages are made of names, so only a copy has them.
std::uint64_t refill(const base::Context& ctx, const Repository& repository, const std::vector<ChunkId>& missing,
                     const Repository& second, Progress& progress);

}  // namespace muster::backup
