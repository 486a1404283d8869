#include "backup/difference.h"

#include <algorithm>

#include "backup/chunk_reader.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Context;
using disk::ByteRange;

void add(std::vector<ByteRange>& ranges, ByteRange range) {
  if (range.length == 0) return;
  if (!ranges.empty() && ranges.back().end() == range.offset)
    ranges.back().length += range.length;
  else
    ranges.push_back(range);
}

class Comparison {
 public:
  Comparison(const Context& ctx, ChunkReader& chunks, const DiskMap& from, const DiskMap& to)
      : from_(from),
        to_(to),
        from_reader_(chunks, from),
        to_reader_(chunks, to),
        from_leaves_(from_reader_.leaf_names(ctx)),
        to_leaves_(to_reader_.leaf_names(ctx)) {}

  std::vector<ByteRange> run(const Context& ctx) {
    const std::uint64_t leaves = std::max(from_leaves_.size(), to_leaves_.size());
    for (std::uint64_t leaf = 0; leaf < leaves; ++leaf) {
      ctx.check_stop();
      // Both leaves under one name have the same chunks.
      if (leaf < from_leaves_.size() && leaf < to_leaves_.size() && from_leaves_[leaf] &&
          from_leaves_[leaf] == to_leaves_[leaf])
        continue;
      const auto a = entries(ctx, from_reader_, from_leaves_, leaf), b = entries(ctx, to_reader_, to_leaves_, leaf);
      for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) compare(leaf * kMapFanout + i, a, b, i);
    }
    return std::move(ranges_);
  }

 private:
  static std::vector<MapEntry> entries(const Context& ctx, MapReader& reader, const std::vector<MapEntry>& leaves,
                                       std::uint64_t leaf) {
    return leaf < leaves.size() ? reader.leaf(ctx, leaves[leaf], leaf) : std::vector<MapEntry>{};
  }

  void compare(std::uint64_t number, const std::vector<MapEntry>& a, const std::vector<MapEntry>& b, std::size_t i) {
    const std::uint64_t offset = number * from_.chunk_bytes;
    const std::uint64_t a_size = i < a.size() ? from_.chunk_size(number) : 0;
    const std::uint64_t b_size = i < b.size() ? to_.chunk_size(number) : 0;
    const bool same = a_size == b_size && a[i] == b[i];
    if (!same) add(ranges_, {offset, std::max(a_size, b_size)});
  }

  DiskMap from_, to_;
  MapReader from_reader_, to_reader_;
  std::vector<MapEntry> from_leaves_, to_leaves_;
  std::vector<ByteRange> ranges_;
};

}  // namespace

std::vector<ByteRange> difference(const Context& ctx, const Repository& repository, const Index& index,
                                  const DiskMap& from, const DiskMap& to) {
  if (from.chunk_bytes != to.chunk_bytes)
    throw base::Error(base::Code::unsupported, "restore points of different chunk sizes cannot be compared");
  PackKeyCache keys(repository);
  ChunkReader chunks(repository, index, keys);
  return Comparison(ctx, chunks, from, to).run(ctx);
}

}  // namespace muster::backup
