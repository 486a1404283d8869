#include "backup/point_disk.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "disk/byte_ranges.h"

namespace muster::backup {
namespace {

using base::Context;
using base::MutableBytes;
using disk::ByteRange;

// Of what is kept: so many streams may each have a window of chunks that nobody has read yet.
constexpr std::size_t kWindowShare = 16;
constexpr std::uint64_t kMinWindow = 2, kMaxWindow = 32;
constexpr unsigned kMaxThreads = 8;

std::uint64_t window_of(const DiskMap& map, std::size_t cached_bytes) {
  return std::clamp<std::uint64_t>(cached_bytes / kWindowShare / map.chunk_bytes, kMinWindow, kMaxWindow);
}

unsigned thread_count(unsigned asked) {
  return std::clamp(asked != 0 ? asked : std::thread::hardware_concurrency(), 1U, kMaxThreads);
}

// Makes extents of pieces that come in order, those of one kind that touch one.
class Extents {
 public:
  Extents(ByteRange within, const PointDisk::TakeExtent& take) : end_(within.end()), take_(take) {
    extent_.offset = within.offset;
  }

  // Where the next piece begins.
  std::uint64_t reached() const { return extent_.end(); }
  bool done() const { return done_ || reached() >= end_; }

  void add(std::uint64_t until, PointDisk::Extent kind) {
    if (kind != kind_) finish();
    kind_ = kind;
    extent_.length = std::min(until, end_) - extent_.offset;
  }
  void finish() {
    if (!done_ && extent_.length != 0) done_ = !take_(extent_, kind_);
    extent_ = {extent_.end(), 0};
  }

 private:
  const std::uint64_t end_;
  const PointDisk::TakeExtent& take_;
  ByteRange extent_;
  PointDisk::Extent kind_ = PointDisk::Extent::zeroes;
  bool done_ = false;
};

}  // namespace

PointDisk::PointDisk(const Repository& repository, const Index& index, const DiskMap& map,
                     const PointDiskOptions& options)
    : name_(options.name),
      chunks_(repository, index, map, {.chunk_bytes = options.cached_bytes, .page_bytes = options.cached_map_bytes}),
      ahead_(chunks_, window_of(map, options.cached_bytes), thread_count(options.threads_ahead)) {}

// All of it lies in one chunk.
void PointDisk::read_in_chunk(const Context& ctx, std::uint64_t offset, MutableBytes into) {
  const std::uint64_t chunk_bytes = chunks_.map().chunk_bytes, number = offset / chunk_bytes;
  const auto part = chunks_.part(ctx, number);
  if (const MapEntry& id = part.entry(number)) {
    const auto plain = chunks_.chunk(ctx, number, *id);
    std::memcpy(into.data(), plain->data() + offset % chunk_bytes, into.size());
  } else {
    std::fill(into.begin(), into.end(), std::byte{});
  }
}

void PointDisk::read(const Context& ctx, std::uint64_t offset, MutableBytes into) {
  disk::check_within(name_, {offset, into.size()}, size_bytes());
  if (into.empty()) return;
  const std::uint64_t chunk_bytes = chunks_.map().chunk_bytes, end = offset + into.size();
  ahead_.note({offset / chunk_bytes, (end + chunk_bytes - 1) / chunk_bytes});
  for (std::uint64_t at = offset, next = 0; at < end; at = next) {
    ctx.check_stop();
    next = std::min(end, (at / chunk_bytes + 1) * chunk_bytes);
    read_in_chunk(ctx, at, into.subspan(at - offset, next - at));
  }
}

void PointDisk::each_extent(const Context& ctx, ByteRange within, const TakeExtent& take) {
  disk::check_within(name_, within, size_bytes());
  const std::uint64_t chunk_bytes = chunks_.map().chunk_bytes;
  Extents extents(within, take);
  while (!extents.done()) {
    ctx.check_stop();
    const std::uint64_t number = extents.reached() / chunk_bytes;
    const auto part = chunks_.part(ctx, number);
    if (!part.leaf) extents.add(part.end * chunk_bytes, Extent::zeroes);
    for (std::uint64_t i = number; part.leaf && i < part.end && !extents.done(); ++i)
      extents.add((i + 1) * chunk_bytes, part.entry(i) ? Extent::data : Extent::zeroes);
  }
  extents.finish();
}

std::vector<ByteRange> PointDisk::data_ranges(const Context& ctx, ByteRange within) {
  disk::RangeList ranges;
  each_extent(ctx, within, [&](ByteRange range, Extent kind) {
    if (kind == Extent::data) ranges.add(range);
    return true;
  });
  return ranges.take();
}

}  // namespace muster::backup
