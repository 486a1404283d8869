#include "backup/disk_map.h"

#include <algorithm>

#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;

std::uint64_t items_of_level(const DiskMap& map, std::uint8_t level) {
  return level == 0 ? map.chunks() : pages_of_level(map, static_cast<std::uint8_t>(level - 1));
}

}  // namespace

std::uint64_t pages_of_level(const DiskMap& map, std::uint8_t level) {
  std::uint64_t items = map.chunks();
  for (int i = 0; i <= level; ++i) items = (items + kMapFanout - 1) / kMapFanout;
  return items;
}

std::size_t entries_of_page(const DiskMap& map, std::uint8_t level, std::uint64_t number) {
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(kMapFanout, items_of_level(map, level) - number * kMapFanout));
}

std::uint8_t DiskMap::top_level() const {
  std::uint8_t level = 0;
  while (pages_of_level(*this, level) > 1) ++level;
  return level;
}

std::uint32_t DiskMap::chunk_size(std::uint64_t number) const {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(chunk_bytes, size_bytes - number * chunk_bytes));
}

MapPage MapReader::read_page(const Context& ctx, const ChunkId& id, std::uint8_t level, std::size_t entries) {
  chunks_->accept_only(map_.domain);
  chunks_->get(ctx, RecordKind::page, id, plain_);
  MapPage page = decode_map_page(plain_);
  if (page.level != level || page.entries.size() != entries)
    throw Error(Code::corrupt, "map page " + hex(id) + ": is of another map");
  return page;
}

std::vector<MapEntry> MapReader::leaf_names(const Context& ctx) {
  if (map_.leaves() == 0) return {};
  std::vector<MapEntry> names{map_.root};
  for (std::uint8_t level = map_.top_level(); level > 0; --level) {
    std::vector<MapEntry> below;
    below.reserve(items_of_level(map_, level));
    for (std::uint64_t number = 0; number < names.size(); ++number) {
      ctx.check_stop();
      const std::size_t count = entries_of_page(map_, level, number);
      if (!names[number]) {
        below.resize(below.size() + count);
        continue;
      }
      const MapPage page = read_page(ctx, *names[number], level, count);
      below.insert(below.end(), page.entries.begin(), page.entries.end());
    }
    names = std::move(below);
  }
  return names;
}

std::vector<MapEntry> MapReader::leaf(const Context& ctx, const MapEntry& name, std::uint64_t leaf) {
  const std::size_t count = entries_of_page(map_, 0, leaf);
  if (!name) return std::vector<MapEntry>(count);
  return read_page(ctx, *name, 0, count).entries;
}

void MapReader::each_chunk(const Context& ctx, const std::function<void(std::uint64_t, const ChunkId&)>& take) {
  const auto names = leaf_names(ctx);
  for (std::uint64_t number = 0; number < names.size(); ++number) {
    ctx.check_stop();
    const auto entries = leaf(ctx, names[number], number);
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (entries[i]) take(number * kMapFanout + i, *entries[i]);
  }
}

void MapReader::walk_page(const Context& ctx, const Visitor& visitor, const ChunkId& id, std::uint8_t level,
                          std::uint64_t number) {
  ctx.check_stop();
  if (visitor.page(id) == Below::skip) return;
  const MapPage page = read_page(ctx, id, level, entries_of_page(map_, level, number));
  for (std::size_t i = 0; i < page.entries.size(); ++i) {
    if (!page.entries[i]) continue;
    if (level == 0)
      visitor.chunk(*page.entries[i]);
    else
      walk_page(ctx, visitor, *page.entries[i], static_cast<std::uint8_t>(level - 1), number * kMapFanout + i);
  }
}

void MapReader::walk(const Context& ctx, const Visitor& visitor) {
  if (map_.root && map_.leaves() > 0) walk_page(ctx, visitor, *map_.root, map_.top_level(), 0);
}

}  // namespace muster::backup
