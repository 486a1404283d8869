// Puts a disk of a restore point back: in the order of packs, many reads at once, zeroes as holes. Every chunk is
// checked against its name before it is written. One call is one thread's; it makes threads of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "backup/disk_map.h"
#include "backup/index.h"
#include "backup/progress.h"
#include "backup/repository.h"
#include "disk/block_device.h"

namespace muster::backup {

// What is known of the target before.
enum class Before {
  blank,    // reads as zeroes everywhere
  unknown,  // everything is written
  similar,  // read first, and only what differs is written: a delta, or what an interrupted restore left
};

struct RestoreRequest {
  DiskMap map;
  Domain domain = kDefaultDomain;
  Before before = Before::unknown;
  unsigned workers = 0;  // 0: by processors
  std::uint64_t bytes_per_second = 0;
};

struct RestoreCounts {
  std::uint64_t written_bytes = 0;
  std::uint64_t zeroed_bytes = 0;  // made holes
  std::uint64_t kept_bytes = 0;    // found to be right (Before::similar)
};

// `target` has at least the disk's size; more is left alone. Flushed when it returns. Throws Error{corrupt} naming the
// first chunk that is missing or damaged, Error{io, no_space, key}.
RestoreCounts restore_disk(const base::Context& ctx, const Repository& repository, const Index& index,
                           const RestoreRequest& request, disk::BlockWriter& target, Progress& progress);

// Reads the target again. Returns the ranges of chunks that are not what the restore point has: none if all is well.
std::vector<disk::ByteRange> differing_chunks(const base::Context& ctx, const Repository& repository,
                                              const Index& index, const RestoreRequest& request,
                                              disk::BlockReader& target, Progress& progress);

}  // namespace muster::backup
