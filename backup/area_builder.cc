#include "backup/area_builder.h"

#include <algorithm>

#include <xxhash.h>

#include "backup/map_builder.h"

namespace muster::backup {
namespace {

// Writers may choose others: readers do not mind. A leaf has some 256 items.
constexpr std::size_t kLeastLeafBytes = 8U << 10, kMostLeafBytes = 256U << 10;
constexpr std::uint64_t kLeafMask = 0xff, kChildMask = 0x3f;
constexpr std::uint32_t kLeastChildren = 16, kMostChildren = 1024;

// Of the key that names pages, so that the sizes of pages do not give away well-known names.
std::uint64_t seed_of(const SessionKeys& keys) {
  const Secret secret = derive(keys.id_key(RecordKind::page), base::as_bytes("muster"), "listing pages");
  return base::ByteReader(secret.view(), "secret").u64();
}

}  // namespace

AreaBuilder::AreaBuilder(SessionWriter& writer, RecordSealer& sealer)
    : writer_(writer), sealer_(sealer), seed_(seed_of(writer.keys())), levels_(1) {}

std::uint64_t AreaBuilder::cut_hash(std::string_view path) const {
  return XXH3_64bits_withSeed(path.data(), path.size(), seed_);
}

void AreaBuilder::add(AreaItem item) {
  if (!item.continues) {
    if (held_) put(*held_);
    held_ = std::move(item);
    return;
  }
  for (const auto& piece : item.pieces) {
    if (held_->pieces.size() == kMaxItemPieces) {
      put(*held_);
      held_ = AreaItem{.entry = {.path = held_->entry.path}, .continues = true};
    }
    held_->pieces.push_back(piece);
  }
}

void AreaBuilder::put(const AreaItem& item) {
  Level& leaf = levels_.front();
  if (leaf.count++ == 0) leaf.first_path = item.entry.path;
  base::ByteWriter write(leaf.entries);
  encode_item(write, item);
  const bool may = leaf.entries.size() >= kLeastLeafBytes;
  if (leaf.entries.size() >= kMostLeafBytes || (may && (cut_hash(item.entry.path) & kLeafMask) == 0)) close(0);
}

void AreaBuilder::put(std::size_t level, const AreaChild& child) {
  if (level == levels_.size()) levels_.emplace_back();
  Level& at = levels_[level];
  if (at.count++ == 0) at.first_path = child.first_path;
  at.last_child = child.page;
  base::ByteWriter write(at.entries);
  encode_child(write, child);
  const bool may = at.count >= kLeastChildren;
  if (at.count == kMostChildren || (may && (cut_hash(child.first_path) >> (2 + 6 * level) & kChildMask) == 0))
    close(level);
}

void AreaBuilder::close(std::size_t level) {
  Level& at = levels_[level];
  const ChunkId page =
      store_page(writer_, sealer_, encode_area_page(static_cast<std::uint8_t>(level), at.count, at.entries));
  AreaChild child{.page = page, .first_path = std::move(at.first_path)};
  at = {};
  put(level + 1, child);
}

ChunkId AreaBuilder::finish() {
  if (held_) put(*held_);
  held_.reset();
  for (std::size_t level = 0;; ++level) {
    const Level& at = levels_[level];
    if (level > 0 && level + 1 == levels_.size() && at.count == 1) return at.last_child;
    if (at.count > 0) close(level);
  }
}

}  // namespace muster::backup
