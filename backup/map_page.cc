#include "backup/map_page.h"

#include <algorithm>

#include "base/error.h"

namespace muster::backup {
namespace {

constexpr std::string_view kMagic = "mpag";
constexpr std::uint8_t kVersion = 1, kZeroes = 0, kNamed = 1;
// 256^7 chunks are more than any disk has.
constexpr std::uint8_t kMaxLevel = 7;

}  // namespace

base::Bytes encode_map_page(std::uint8_t level, std::span<const MapEntry> entries) {
  base::Bytes bytes;
  base::ByteWriter write(bytes);
  write.raw(base::as_bytes(kMagic));
  write.u8(kVersion);
  write.u8(level);
  write.u16(static_cast<std::uint16_t>(entries.size()));
  for (const auto& entry : entries) write.u8(entry ? kNamed : kZeroes);
  for (const auto& entry : entries)
    if (entry) write.raw(entry->view());
  return bytes;
}

MapPage decode_map_page(base::ByteView bytes) {
  const auto reject = [] { throw base::Error(base::Code::corrupt, "a map page makes no sense"); };
  base::ByteReader read(bytes, "map page");
  if (base::as_text(read.raw(kMagic.size())) != kMagic || read.u8() != kVersion) reject();
  MapPage page{.level = read.u8(), .entries = {}};
  page.entries.resize(read.u16());
  if (page.level > kMaxLevel || page.entries.empty() || page.entries.size() > kMapFanout) reject();
  for (const std::byte kind : read.raw(page.entries.size()))
    if (kind != std::byte{kZeroes} && kind != std::byte{kNamed}) reject();
  const base::ByteView kinds = bytes.subspan(8, page.entries.size());
  for (std::size_t i = 0; i < kinds.size(); ++i)
    if (kinds[i] == std::byte{kNamed}) page.entries[i] = ChunkId{read.array<32>()};
  read.expect_end();
  return page;
}

bool all_zero(std::span<const MapEntry> entries) {
  return std::none_of(entries.begin(), entries.end(), [](const MapEntry& entry) { return entry.has_value(); });
}

}  // namespace muster::backup
