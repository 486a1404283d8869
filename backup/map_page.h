// A page of a disk's map: up to 256 names, of chunks in a leaf, of pages above (muster-repository(7), "Maps"). What has
// no name reads as zeroes. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "backup/ids.h"
#include "base/bytes.h"

namespace muster::backup {

constexpr std::uint32_t kMapFanout = 256;

using MapEntry = std::optional<ChunkId>;

struct MapPage {
  std::uint8_t level = 0;  // 0: a leaf
  std::vector<MapEntry> entries;
  bool operator==(const MapPage&) const = default;
};

// 1 to kMapFanout entries.
base::Bytes encode_map_page(std::uint8_t level, std::span<const MapEntry> entries);
// Throws Error{corrupt}.
MapPage decode_map_page(base::ByteView bytes);

bool all_zero(std::span<const MapEntry> entries);

}  // namespace muster::backup
