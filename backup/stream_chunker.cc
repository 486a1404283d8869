#include "backup/stream_chunker.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace muster::backup {
namespace {

// Ones that are asked of the hash more before the average size, and less after it.
constexpr int kNormalisation = 2;

// The highest bits: in a gear hash they depend on the most bytes.
std::uint64_t high_bits(int count) { return ~std::uint64_t{0} << (64 - count); }

}  // namespace

StreamChunker::StreamChunker(const Secret& key, const ChunkSizes& sizes) : sizes_(sizes) {
  const bool in_order = sizes.least > 0 && sizes.least < sizes.average && sizes.average < sizes.most;
  if (!in_order || !std::has_single_bit(sizes.average) || sizes.average < 64)
    throw base::Error(base::Code::usage,
                      "chunk sizes of streams are least < average < most, the average a power of two");
  const int bits = std::countr_zero(sizes.average);
  strict_mask_ = high_bits(bits + kNormalisation);
  loose_mask_ = high_bits(bits - kNormalisation);
  KeyedHash hash(derive(key, base::as_bytes("muster"), "stream chunking"));
  for (std::size_t i = 0; i < gear_.size(); ++i) {
    const std::byte byte = static_cast<std::byte>(i);
    gear_[i] = prefix_of(hash({&byte, 1}));
  }
}

std::size_t StreamChunker::first_chunk(base::ByteView bytes) const {
  const std::size_t end = std::min(bytes.size(), sizes_.most), middle = std::min(end, sizes_.average);
  if (end <= sizes_.least) return end;
  std::uint64_t hash = 0;
  std::size_t at = sizes_.least;
  for (; at < middle; ++at) {
    hash = (hash << 1) + gear_[std::to_integer<std::size_t>(bytes[at])];
    if ((hash & strict_mask_) == 0) return at + 1;
  }
  for (; at < end; ++at) {
    hash = (hash << 1) + gear_[std::to_integer<std::size_t>(bytes[at])];
    if ((hash & loose_mask_) == 0) return at + 1;
  }
  return end;
}

}  // namespace muster::backup
