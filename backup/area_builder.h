// Makes the listing of an area out of its items in their order: pages that are there already are not stored again, so
// that a listing costs what changed. Not thread-safe.
#pragma once

#include <deque>

#include "backup/area_tree.h"
#include "backup/session_writer.h"

namespace muster::backup {

class AreaBuilder {
 public:
  // Both outlive the builder.
  AreaBuilder(SessionWriter& writer, RecordSealer& sealer);

  // In the order of compare_paths(), first what has no `continues`. Pieces of one file may come in any number of items:
  // they are put together as the format wants them.
  void add(AreaItem item);
  // There was at least one item.
  ChunkId finish();

 private:
  struct Level {
    base::Bytes entries{};
    std::uint32_t count = 0;
    std::string first_path{};
    ChunkId last_child{};
  };
  void put(const AreaItem& item);
  void put(std::size_t level, const AreaChild& child);
  void close(std::size_t level);
  std::uint64_t cut_hash(std::string_view path) const;

  SessionWriter& writer_;
  RecordSealer& sealer_;
  const std::uint64_t seed_;
  std::optional<AreaItem> held_;  // whose pieces may go on
  std::deque<Level> levels_;
};

}  // namespace muster::backup
