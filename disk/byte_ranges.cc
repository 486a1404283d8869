#include "disk/byte_ranges.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"

namespace muster::disk {

void check_within(const std::string& disk, ByteRange range, std::uint64_t size_bytes) {
  if (range.offset <= size_bytes && range.length <= size_bytes - range.offset) return;
  throw base::Error(base::Code::io, fmt::format("{}: {} bytes at {} go beyond its end at {}", disk, range.length,
                                                range.offset, size_bytes));
}

ByteRange common(ByteRange a, ByteRange b) {
  const std::uint64_t begin = std::max(a.offset, b.offset), end = std::min(a.end(), b.end());
  return {begin, end > begin ? end - begin : 0};
}

ByteRange touched_blocks(ByteRange range, std::uint64_t block_bytes) {
  if (range.length == 0) return range;
  const std::uint64_t begin = range.offset & ~(block_bytes - 1);
  const std::uint64_t end = (range.end() + block_bytes - 1) & ~(block_bytes - 1);
  return {begin, end - begin};
}

ByteRange covered_blocks(ByteRange range, std::uint64_t block_bytes) {
  const std::uint64_t begin = (range.offset + block_bytes - 1) & ~(block_bytes - 1);
  const std::uint64_t end = range.end() & ~(block_bytes - 1);
  return end > begin ? ByteRange{begin, end - begin} : ByteRange{range.offset, 0};
}

std::vector<ByteRange> edges(ByteRange range, ByteRange inner) {
  std::vector<ByteRange> left;
  if (inner.offset > range.offset) left.push_back({range.offset, inner.offset - range.offset});
  if (range.end() > inner.end()) left.push_back({inner.end(), range.end() - inner.end()});
  return left;
}

void RangeList::add(ByteRange range) {
  if (range.length == 0) return;
  const bool joins = !ranges_.empty() && (ranges_.back().end() == range.offset || ranges_.size() >= most_);
  if (joins)
    ranges_.back().length = range.end() - ranges_.back().offset;
  else
    ranges_.push_back(range);
}

}  // namespace muster::disk
