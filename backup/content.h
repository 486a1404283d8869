// What a restore point is made of, as whoever walks all its records needs it: maps of disks and parts, listings of
// areas. Pure but for the store.
#pragma once

#include <variant>

#include "backup/area_tree.h"
#include "backup/disk_map.h"

namespace muster::backup {

using Content = std::variant<DiskMap, AreaTree>;

// Calls `visitor` for every page, from the root down, and every chunk that they name.
inline void walk(const base::Context& ctx, ChunkReader& chunks, const Content& content,
                 const MapReader::Visitor& visitor) {
  if (const auto* map = std::get_if<DiskMap>(&content))
    MapReader(chunks, *map).walk(ctx, visitor);
  else
    walk_area(ctx, chunks, std::get<AreaTree>(content), visitor);
}

}  // namespace muster::backup
