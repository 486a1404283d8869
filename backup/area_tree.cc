#include "backup/area_tree.h"

#include <algorithm>

#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;

void check_level(const AreaPage& page, const ChunkId& id, std::uint8_t level) {
  if (page.level != level) throw Error(Code::corrupt, "listing page " + hex(id) + ": is of another level");
}

void visit(const Context& ctx, ChunkReader& chunks, const AreaTree& tree, const MapReader::Visitor& visitor,
           const AreaPage& page) {
  for (const auto& item : page.items)
    for (const auto& piece : item.pieces)
      if (piece.chunk) visitor.chunk(*piece.chunk);
  for (const auto& child : page.children) {
    ctx.check_stop();
    if (visitor.page(child.page) == MapReader::Below::skip) continue;
    const AreaPage below = read_area_page(ctx, chunks, tree.domain, child.page);
    check_level(below, child.page, static_cast<std::uint8_t>(page.level - 1));
    visit(ctx, chunks, tree, visitor, below);
  }
}

}  // namespace

AreaPage read_area_page(const Context& ctx, ChunkReader& chunks, Domain domain, const ChunkId& id) {
  base::Bytes plain;
  chunks.accept_only(domain);
  chunks.get(ctx, RecordKind::page, id, plain);
  return decode_area_page(plain);
}

void walk_area(const Context& ctx, ChunkReader& chunks, const AreaTree& tree, const MapReader::Visitor& visitor) {
  if (visitor.page(tree.root) == MapReader::Below::skip) return;
  visit(ctx, chunks, tree, visitor, read_area_page(ctx, chunks, tree.domain, tree.root));
}

void AreaCursor::descend(const Context& ctx, const ChunkId& id) {
  AreaPage page = read_area_page(ctx, *chunks_, tree_.domain, id);
  if (!path_.empty()) check_level(page, id, static_cast<std::uint8_t>(path_.back().page.level - 1));
  path_.push_back({std::move(page), 0});
}

void AreaCursor::begin(const Context& ctx) {
  if (begun_) return;
  begun_ = true;
  descend(ctx, tree_.root);
}

const AreaItem* AreaCursor::peek(const Context& ctx) {
  begin(ctx);
  while (!path_.empty()) {
    Place& place = path_.back();
    if (place.at == place.size()) {
      path_.pop_back();
      if (!path_.empty()) ++path_.back().at;
      continue;
    }
    if (place.page.level == 0) return &place.page.items[place.at];
    ctx.check_stop();
    descend(ctx, place.page.children[place.at].page);
  }
  return nullptr;
}

std::optional<AreaItem> AreaCursor::next(const Context& ctx) {
  const AreaItem* item = peek(ctx);
  for (; item != nullptr && item->continues; item = peek(ctx)) advance();
  if (item == nullptr) return std::nullopt;
  AreaItem whole = *item;
  for (advance(); (item = peek(ctx)) != nullptr && item->continues; advance()) {
    if (item->entry.path != whole.entry.path) throw Error(Code::corrupt, "a listing has pieces of no file");
    whole.pieces.insert(whole.pieces.end(), item->pieces.begin(), item->pieces.end());
  }
  return whole;
}

void AreaCursor::seek(const Context& ctx, std::string_view path) {
  path_.clear();
  begun_ = false;
  begin(ctx);
  while (path_.back().page.level > 0) {
    Place& place = path_.back();
    // The last page that begins before the path: a file's first item may be the last of the page before its others.
    const auto found =
        std::partition_point(place.page.children.begin(), place.page.children.end(),
                             [&](const AreaChild& child) { return compare_paths(child.first_path, path) < 0; });
    place.at =
        found == place.page.children.begin() ? 0 : static_cast<std::size_t>(found - place.page.children.begin()) - 1;
    descend(ctx, place.page.children[place.at].page);
  }
  Place& leaf = path_.back();
  while (leaf.at < leaf.size() && compare_paths(leaf.page.items[leaf.at].entry.path, path) < 0) ++leaf.at;
}

std::vector<ChunkId> area_leaves(const Context& ctx, ChunkReader& chunks, const AreaTree& tree) {
  std::vector<ChunkId> names{tree.root};
  AreaPage first = read_area_page(ctx, chunks, tree.domain, tree.root);
  for (int level = first.level; level > 0; --level) {
    std::vector<ChunkId> below;
    for (const auto& name : names) {
      ctx.check_stop();
      const AreaPage page = read_area_page(ctx, chunks, tree.domain, name);
      check_level(page, name, static_cast<std::uint8_t>(level));
      for (const auto& child : page.children) below.push_back(child.page);
    }
    names = std::move(below);
  }
  return names;
}

std::optional<AreaItem> find_item(const Context& ctx, ChunkReader& chunks, const AreaTree& tree,
                                  std::string_view path) {
  AreaCursor cursor(chunks, tree);
  cursor.seek(ctx, path);
  auto item = cursor.next(ctx);
  return item && item->entry.path == path ? std::move(item) : std::nullopt;
}

}  // namespace muster::backup
