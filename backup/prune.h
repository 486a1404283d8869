// Gives back the room of what no restore point needs: marks, sentences, judges, removes; safe beside running backups
// and other prunes, and killed at any step (muster-repository(7), "Letting go"). One call is one thread's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backup/progress.h"
#include "backup/repository.h"

namespace muster::backup {

struct PruneOptions {
  // A pack is written anew without what nobody needs once that is so many percent of it.
  unsigned repack_percent = 50;
  // Bytes of packs that are written anew in one run, at most; 0: no limit.
  std::uint64_t max_repack_bytes = 0;
  enum class Act { plan, carry_out } act = Act::carry_out;
  // For a plan: points that would be gone by then.
  std::vector<ObjectId> plan_without{};
  Progress* progress = nullptr;  // of what is written anew
};

// Somebody at work since before a sentence: it is carried out once they are done.
struct WaitedFor {
  std::string host, kind;
  std::chrono::sys_seconds since;
};

struct PruneResult {
  std::uint64_t packs = 0, live_bytes = 0;                 // that there are; what of them is needed
  std::uint64_t sentenced_packs = 0, sentenced_bytes = 0;  // marked now
  std::uint64_t repacked_packs = 0, repacked_bytes = 0;    // of these, written anew; what was copied
  std::uint64_t removed_packs = 0, removed_bytes = 0;      // gone now, marked by this run or an earlier one
  std::uint64_t removed_points = 0;                        // unconfirmed ones of dead writers
  std::vector<WaitedFor> waited_for;                       // not empty: what is marked goes with a later prune
};

// Throws Error{key} without the maintenance key, and Error{corrupt} where a restore point, map page or index table
// cannot be read: then nothing is known to be unneeded, and nothing is removed.
PruneResult prune(const base::Context& ctx, const Repository& repository, const PruneOptions& options);

}  // namespace muster::backup
