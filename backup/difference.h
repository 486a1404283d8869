// What differs between two restore points of a disk, by their maps alone: no data is read. Not thread-safe.
#pragma once

#include <vector>

#include "backup/disk_map.h"
#include "backup/index.h"
#include "backup/repository.h"
#include "disk/block_device.h"

namespace muster::backup {

// Ranges of whole chunks that differ, adjoining ones joined; what only one of the two has, as one is larger, included.
// Throws Error{unsupported} for maps of different chunk sizes, Error{corrupt}.
std::vector<disk::ByteRange> difference(const base::Context& ctx, const Repository& repository, const Index& index,
                                        const DiskMap& from, const DiskMap& to);

}  // namespace muster::backup
