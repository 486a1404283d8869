// A page of an area's listing: items in a leaf, other pages above (muster-repository(7), "Listings"). Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backup/area_item.h"

namespace muster::backup {

struct AreaChild {
  ChunkId page;
  std::string first_path;  // of the first item under it
  bool operator==(const AreaChild&) const = default;
};

struct AreaPage {
  std::uint8_t level = 0;             // 0: a leaf
  std::vector<AreaItem> items{};      // of a leaf
  std::vector<AreaChild> children{};  // of others
};

inline constexpr std::uint8_t kMaxAreaLevel = 7;

// `entries`: so many items or children, as encode_item() and encode_child() have them.
base::Bytes encode_area_page(std::uint8_t level, std::uint32_t count, base::ByteView entries);
void encode_child(base::ByteWriter& write, const AreaChild& child);
// Throws Error{corrupt}, also for what is not in order.
AreaPage decode_area_page(base::ByteView bytes);

}  // namespace muster::backup
