#include "backup/map_builder.h"

#include <algorithm>

namespace muster::backup {

ChunkId store_page(SessionWriter& writer, RecordSealer& sealer, base::ByteView page) {
  const ChunkId id = sealer.id_of(RecordKind::page, page);
  if (writer.claim(RecordKind::page, id)) writer.add(sealer.seal(RecordKind::page, id, page));
  return id;
}

MapEntry store_page(SessionWriter& writer, RecordSealer& sealer, std::uint8_t level,
                    std::span<const MapEntry> entries) {
  if (all_zero(entries)) return std::nullopt;
  return store_page(writer, sealer, encode_map_page(level, entries));
}

MapEntry build_upper_levels(const base::Context& ctx, SessionWriter& writer, RecordSealer& sealer, const DiskMap& map,
                            std::vector<MapEntry> leaves) {
  if (leaves.empty()) return std::nullopt;
  for (std::uint8_t level = 1; level <= map.top_level(); ++level) {
    ctx.check_stop();
    std::vector<MapEntry> above;
    for (std::size_t at = 0; at < leaves.size(); at += kMapFanout)
      above.push_back(store_page(writer, sealer, level,
                                 std::span(leaves).subspan(at, std::min<std::size_t>(kMapFanout, leaves.size() - at))));
    leaves = std::move(above);
  }
  return leaves.front();
}

}  // namespace muster::backup
