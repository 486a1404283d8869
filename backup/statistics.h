// What a repository holds and what that costs, for each machine. Reads maps and index tables, no data. Memory: 16 bytes
// a chunk that is counted.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "backup/index.h"
#include "backup/repository.h"

namespace muster::backup {

struct MachineStatistics {
  std::uint64_t points = 0;
  std::uint64_t logical_bytes = 0;  // of all its points' disks together
  std::uint64_t named_bytes = 0;    // of these, not zero
  std::uint64_t unique_bytes = 0;   // of distinct chunks, before compression
  std::uint64_t stored_bytes = 0;   // the same as they are stored
  std::uint64_t own_bytes = 0;      // of these, in no other machine: what its end would give back
};

struct RepositoryStatistics {
  std::map<std::string, MachineStatistics> machines;
  MachineStatistics total;
  std::uint64_t packs = 0, pack_bytes = 0, index_bytes = 0, other_bytes = 0;
};

RepositoryStatistics statistics(const base::Context& ctx, const Repository& repository, const Index& index);

}  // namespace muster::backup
