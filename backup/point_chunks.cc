#include "backup/point_chunks.h"

#include <algorithm>

#include "base/error.h"

namespace muster::backup {
namespace {

using base::Bytes;
using base::Code;
using base::Context;
using base::Error;

std::uint64_t chunks_below(std::uint8_t level) { return std::uint64_t{1} << (8 * (level + 1)); }
static_assert(kMapFanout == 1U << 8);

std::size_t memory_of(const MapPage& page) { return sizeof page + page.entries.size() * sizeof(MapEntry); }

}  // namespace

// A reader for one thread at a time.
class PointChunks::Borrowed {
 public:
  explicit Borrowed(PointChunks& owner) : owner_(owner) {
    const std::lock_guard lock(owner_.mutex_);
    if (owner_.idle_.empty()) return;
    reader_ = std::move(owner_.idle_.back());
    owner_.idle_.pop_back();
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() {
    if (!reader_) return;
    const std::lock_guard lock(owner_.mutex_);
    owner_.idle_.push_back(std::move(reader_));
  }

  ChunkReader& get() {
    if (!reader_) {
      reader_ = std::make_unique<ChunkReader>(owner_.repository_, owner_.index_, owner_.keys_);
      reader_->accept_only(owner_.map_.domain);
    }
    return *reader_;
  }

 private:
  PointChunks& owner_;
  std::unique_ptr<ChunkReader> reader_;
};

PointChunks::PointChunks(const Repository& repository, const Index& index, const DiskMap& map, const Limits& limits)
    : repository_(repository),
      index_(index),
      map_(map),
      keys_(repository),
      chunks_(limits.chunk_bytes),
      pages_(limits.page_bytes) {}

PointChunks::~PointChunks() = default;

void PointChunks::check_size(const Bytes& bytes, std::uint64_t number, const ChunkId& id) const {
  if (bytes.size() != map_.chunk_size(number)) throw Error(Code::corrupt, "chunk " + hex(id) + ": has a wrong size");
}

SharedCache<Bytes>::Made PointChunks::read_chunk(const Context& ctx, std::uint64_t number, const ChunkId& id) {
  auto bytes = std::make_shared<Bytes>();
  Borrowed(*this).get().get(ctx, RecordKind::chunk, id, *bytes);
  check_size(*bytes, number, id);
  const std::size_t size = bytes->size();
  return {std::move(bytes), size};
}

SharedCache<MapPage>::Made PointChunks::read_page(const Context& ctx, const ChunkId& id, std::uint8_t level,
                                                  std::size_t entries) {
  Bytes plain;
  Borrowed(*this).get().get(ctx, RecordKind::page, id, plain);
  auto page = std::make_shared<MapPage>(decode_map_page(plain));
  if (page->level != level || page->entries.size() != entries)
    throw Error(Code::corrupt, "map page " + hex(id) + ": is of another map");
  const std::size_t size = memory_of(*page);
  return {std::move(page), size};
}

std::shared_ptr<const MapPage> PointChunks::page(const Context& ctx, const ChunkId& id, std::uint8_t level,
                                                 std::uint64_t number) {
  const std::uint64_t items = level == 0 ? map_.chunks() : pages_of_level(map_, static_cast<std::uint8_t>(level - 1));
  const auto entries = static_cast<std::size_t>(std::min<std::uint64_t>(kMapFanout, items - number * kMapFanout));
  auto found = pages_.get(ctx, id, [&] { return read_page(ctx, id, level, entries); });
  // A map may name one page in several places, where it does not fit.
  if (found->level != level || found->entries.size() != entries)
    throw Error(Code::corrupt, "map page " + hex(id) + ": is of another place");
  return found;
}

PointChunks::Part PointChunks::part(const Context& ctx, std::uint64_t number) {
  MapEntry id = map_.root;
  for (std::uint8_t level = map_.top_level();; --level) {
    const std::uint64_t width = chunks_below(level), at = number / width;
    Part part{at * width, std::min(map_.chunks(), (at + 1) * width), nullptr};
    if (!id) return part;
    auto found = page(ctx, *id, level, at);
    if (level == 0) return part.leaf = std::move(found), part;
    id = found->entries[number % width / chunks_below(static_cast<std::uint8_t>(level - 1))];
  }
}

std::shared_ptr<const Bytes> PointChunks::chunk(const Context& ctx, std::uint64_t number, const ChunkId& id) {
  auto found = chunks_.get(ctx, id, [&] { return read_chunk(ctx, number, id); });
  check_size(*found, number, id);
  return found;
}

void PointChunks::get_ahead(const Context& ctx, std::uint64_t number, const ChunkId& id) {
  chunks_.fill(id, [&] { return read_chunk(ctx, number, id); });
}

}  // namespace muster::backup
