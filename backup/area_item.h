// One entry of an area's listing: a file with all that is known of it and where its bytes are
// (muster-repository(7), "Listings"). Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/entry.h"
#include "backup/ids.h"
#include "base/bytes.h"

namespace muster::backup {

// Bytes of a file that adjoin those of the piece before.
struct Piece {
  std::uint64_t length = 0;
  std::optional<ChunkId> chunk{};  // none: a hole
  bool operator==(const Piece&) const = default;
};

// The pieces of a larger file stand in several items, one after the other.
inline constexpr std::size_t kMaxItemPieces = 256;

struct AreaItem {
  archive::Entry entry;  // its path is relative to the area; empty: the area itself
  std::uint64_t inode = 0;
  std::vector<Piece> pieces{};  // of a file
  bool continues = false;       // more pieces of the item before: of `entry` the path alone counts
  bool operator==(const AreaItem&) const = default;
};

// The order of a listing: a directory, then what is in it, names by their bytes, of which a newline counts as a slash.
// Less than 0, 0, or more, as strcmp().
int compare_paths(std::string_view a, std::string_view b);

// Relative, without empty parts, `.`, `..` and zero bytes: nothing that leads out of where it is put.
bool is_area_path(std::string_view path);

void encode_item(base::ByteWriter& write, const AreaItem& item);
// Throws Error{corrupt} for whatever no listing has.
AreaItem decode_item(base::ByteReader& read);

}  // namespace muster::backup
