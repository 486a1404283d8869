// A disk of a restore point as a block device that is only read, at any place: what the NBD export serves. Keeps the
// chunks and pages of the map used last, and gets the next chunks ahead of reads that go on. Thread-safe: several
// threads read at once, and a chunk that two of them want is decoded once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backup/point_chunks.h"
#include "backup/read_ahead.h"
#include "disk/block_device.h"

namespace muster::backup {

struct PointDiskOptions {
  std::size_t cached_bytes = 64U << 20;           // of chunks
  std::size_t cached_map_bytes = 8U << 20;        // of pages: some 10 KiB for 256 chunks
  unsigned threads_ahead = 0;                     // 0: as many as processors
  std::string name = "the restore point's disk";  // in errors
};

class PointDisk : public disk::BlockReader {
 public:
  // Repository and index outlive the disk. Reads nothing yet.
  PointDisk(const Repository& repository, const Index& index, const DiskMap& map, const PointDiskOptions& options = {});

  std::uint64_t size_bytes() const override { return chunks_.map().size_bytes; }
  // By the map: where chunks have names. Throws what ChunkReader::get() throws for pages.
  std::vector<disk::ByteRange> data_ranges(const base::Context& ctx, disk::ByteRange within) override;
  // Of ranges without data the store is not asked. Throws Error{corrupt} naming the chunk that is missing or damaged,
  // Error{key, io, cancelled}; Error{io} beyond the end.
  void read(const base::Context& ctx, std::uint64_t offset, base::MutableBytes into) override;

  // Calls `take` for ranges of data and of zeroes in turn that cover `within`, until it returns false. What comes after
  // is not looked at, so that a question about the next extent costs little on a large disk.
  enum class Extent { data, zeroes };
  using TakeExtent = std::function<bool(disk::ByteRange, Extent)>;
  void each_extent(const base::Context& ctx, disk::ByteRange within, const TakeExtent& take);

 private:
  void read_in_chunk(const base::Context& ctx, std::uint64_t offset, base::MutableBytes into);

  const std::string name_;
  PointChunks chunks_;
  ReadAhead ahead_;
};

}  // namespace muster::backup
