// Arithmetic of byte ranges, and a list of them that is gathered in order and stays bounded. Pure values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "disk/block_device.h"

namespace muster::disk {

// Throws Error{io} naming `disk` unless the range lies within its size: a write beyond the end would make a file grow.
void check_within(const std::string& disk, ByteRange range, std::uint64_t size_bytes);

// What both have in common; of no length where that is nothing.
ByteRange common(ByteRange a, ByteRange b);

// The whole blocks that the range touches, and those that it covers. `block_bytes` is a power of two.
ByteRange touched_blocks(ByteRange range, std::uint64_t block_bytes);
ByteRange covered_blocks(ByteRange range, std::uint64_t block_bytes);

// What is left of `range` before and after `inner`, which lies in it.
std::vector<ByteRange> edges(ByteRange range, ByteRange inner);

// Ranges in ascending order, those that touch made one. A disk may be in more pieces than memory is to hold: once there
// are `most`, the last takes in all that comes, gaps and all. For ranges of data that costs time and is never wrong.
class RangeList {
 public:
  static constexpr std::size_t kMost = 1U << 20;

  explicit RangeList(std::size_t most = kMost) : most_(most) {}

  // `range` begins at or after the end of the one before. One of no length is passed over.
  void add(ByteRange range);
  std::vector<ByteRange> take() { return std::move(ranges_); }

 private:
  std::size_t most_;
  std::vector<ByteRange> ranges_;
};

}  // namespace muster::disk
