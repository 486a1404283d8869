// The listing of an area: a tree of pages, each under the name of its content and cut where names say so, so that a
// restore point costs what changed and is complete all the same. Reading and walking; area_builder.h makes one. Not
// thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backup/area_page.h"
#include "backup/chunk_reader.h"
#include "backup/disk_map.h"

namespace muster::backup {

struct AreaTree {
  ChunkId root{};
  // Whose chunks it may name; with the document it stands in, not in it.
  Domain domain = kDefaultDomain;
};

// Throws what ChunkReader::get() throws, and Error{corrupt} for a page that is none or is of another level.
AreaPage read_area_page(const base::Context& ctx, ChunkReader& chunks, Domain domain, const ChunkId& id);

// As MapReader::walk().
void walk_area(const base::Context& ctx, ChunkReader& chunks, const AreaTree& tree, const MapReader::Visitor& visitor);

// Goes through the items of a listing in their order.
class AreaCursor {
 public:
  // `chunks` outlives the cursor, and may be used by others in between.
  AreaCursor(ChunkReader& chunks, const AreaTree& tree) : chunks_(&chunks), tree_(tree) {}

  // The item at hand; nullptr at the end. Valid until the cursor moves. These throw what read_area_page() throws.
  const AreaItem* peek(const base::Context& ctx);
  void advance() { ++path_.back().at; }
  // Takes the item at hand, with all of its pieces; nullopt at the end. What no file begins is passed over.
  std::optional<AreaItem> next(const base::Context& ctx);
  // To the first item that does not come before `path`.
  void seek(const base::Context& ctx, std::string_view path);

 private:
  struct Place {
    AreaPage page;
    std::size_t at = 0;
    std::size_t size() const { return page.level == 0 ? page.items.size() : page.children.size(); }
  };
  void begin(const base::Context& ctx);
  void descend(const base::Context& ctx, const ChunkId& id);

  ChunkReader* chunks_;
  AreaTree tree_;
  std::vector<Place> path_;  // from the root down
  bool begun_ = false;
};

// The names of all leaves, in order. Memory: 32 bytes for some 256 items.
std::vector<ChunkId> area_leaves(const base::Context& ctx, ChunkReader& chunks, const AreaTree& tree);

// The item of that path, with all of its pieces; nullopt where there is none.
std::optional<AreaItem> find_item(const base::Context& ctx, ChunkReader& chunks, const AreaTree& tree,
                                  std::string_view path);

}  // namespace muster::backup
