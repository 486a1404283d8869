// A disk as the rest of muster sees it: a size, ranges that hold data or zeroes, reads and writes at any place. Raw
// files, block devices, and whatever speaks NBD stand behind it. Every function is thread-safe: several threads read or
// write at once, which is how many requests get in flight.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/context.h"

namespace muster::disk {

// Bytes [offset, offset + length) of a disk.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t end() const { return offset + length; }
  bool operator==(const ByteRange&) const = default;
};

class BlockReader {
 public:
  virtual ~BlockReader() = default;

  virtual std::uint64_t size_bytes() const = 0;

  // Where within `within` there may be data: sorted, apart from each other, not empty. All else reads as zeroes.
  // Throws Error{io}.
  virtual std::vector<ByteRange> data_ranges(const base::Context& ctx, ByteRange within) = 0;

  // Fills `into`; the range lies within the disk. Throws Error{io} naming the disk and the place.
  virtual void read(const base::Context& ctx, std::uint64_t offset, base::MutableBytes into) = 0;
};

class BlockWriter : public BlockReader {
 public:
  virtual void write(const base::Context& ctx, std::uint64_t offset, base::ByteView bytes) = 0;
  // Makes the range read as zeroes, giving its space back where that can be done.
  virtual void write_zeroes(const base::Context& ctx, ByteRange range) = 0;
  // What was written is durable once it returns.
  virtual void flush(const base::Context& ctx) = 0;
};

}  // namespace muster::disk
