// Makes the map of a disk out of the names of its leaves: pages that are there already are not stored again, so that a
// map costs what changed. Not thread-safe.
#pragma once

#include <vector>

#include "backup/disk_map.h"
#include "backup/session_writer.h"

namespace muster::backup {

// Stores a page, encoded, where nobody has it, and returns its name.
ChunkId store_page(SessionWriter& writer, RecordSealer& sealer, base::ByteView page);
// The same of a map's entries; none for one that is all zeroes.
MapEntry store_page(SessionWriter& writer, RecordSealer& sealer, std::uint8_t level, std::span<const MapEntry> entries);

// The root over `leaves`, all of the disk's. `map` has its size.
MapEntry build_upper_levels(const base::Context& ctx, SessionWriter& writer, RecordSealer& sealer, const DiskMap& map,
                            std::vector<MapEntry> leaves);

}  // namespace muster::backup
