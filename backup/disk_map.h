// The map of a whole disk: a tree of pages, each under the name of its content, so that a restore point costs what
// changed and is complete all the same. Reading and walking; map_builder.h makes one. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_set>
#include <vector>

#include "backup/chunk_reader.h"
#include "backup/map_page.h"

namespace muster::backup {

// More than any disk has, and safe to calculate with.
constexpr std::uint64_t kMaxDiskBytes = std::uint64_t{1} << 56;

struct DiskMap {
  std::uint64_t size_bytes = 0;
  std::uint32_t chunk_bytes = 0;
  MapEntry root{};  // without: all zeroes
  // Whose chunks it may name; with the document it stands in, not in it.
  Domain domain = kDefaultDomain;

  std::uint64_t chunks() const { return (size_bytes + chunk_bytes - 1) / chunk_bytes; }
  std::uint64_t leaves() const { return (chunks() + kMapFanout - 1) / kMapFanout; }
  // Of the root; a leaf has 0.
  std::uint8_t top_level() const;
  // Of one chunk: the disk's last may be shorter.
  std::uint32_t chunk_size(std::uint64_t number) const;
};

// How many pages a level has.
std::uint64_t pages_of_level(const DiskMap& map, std::uint8_t level);
// Entries of one page: all but the last of a level are full.
std::size_t entries_of_page(const DiskMap& map, std::uint8_t level, std::uint64_t number);

class MapReader {
 public:
  // `chunks` outlives the reader.
  MapReader(ChunkReader& chunks, const DiskMap& map) : chunks_(&chunks), map_(map) {}

  // The names of all leaves, in order. Memory: 33 bytes a leaf, that is 64 MiB of disk.
  std::vector<MapEntry> leaf_names(const base::Context& ctx);
  // The entries of the leaf `name`, whose number is `leaf`.
  std::vector<MapEntry> leaf(const base::Context& ctx, const MapEntry& name, std::uint64_t leaf);
  // Calls `take` with the number and the name of every chunk that is not zero.
  void each_chunk(const base::Context& ctx, const std::function<void(std::uint64_t, const ChunkId&)>& take);

  // Calls `visit` for every page, from the root down; what lies under one is looked at only where it says so.
  enum class Below { look, skip };
  struct Visitor {
    std::function<Below(const ChunkId&)> page;
    std::function<void(const ChunkId&)> chunk;
  };
  void walk(const base::Context& ctx, const Visitor& visitor);

 private:
  MapPage read_page(const base::Context& ctx, const ChunkId& id, std::uint8_t level, std::size_t entries);
  void walk_page(const base::Context& ctx, const Visitor& visitor, const ChunkId& id, std::uint8_t level,
                 std::uint64_t number);

  ChunkReader* chunks_;
  DiskMap map_;
  base::Bytes plain_;
};

}  // namespace muster::backup
