// The chunks of one disk of a restore point by their numbers: its map is walked down as far as it is asked for, and
// chunks and pages used last are kept, decoded once however many threads want them. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "backup/chunk_reader.h"
#include "backup/disk_map.h"
#include "backup/shared_cache.h"

namespace muster::backup {

class PointChunks {
 public:
  struct Limits {
    std::size_t chunk_bytes = 0, page_bytes = 0;  // that are kept
  };
  // All outlive it but the map.
  PointChunks(const Repository& repository, const Index& index, const DiskMap& map, const Limits& limits);
  ~PointChunks();

  const DiskMap& map() const { return map_; }

  // What the map says of chunks [first, end): their names in order, or that all of them are zeroes.
  struct Part {
    std::uint64_t first = 0, end = 0;
    std::shared_ptr<const MapPage> leaf;  // none: zeroes

    const MapEntry& entry(std::uint64_t number) const {
      static const MapEntry kNone;
      return leaf ? leaf->entries[number - first] : kNone;
    }
  };
  // The part that `number` lies in. These throw what ChunkReader::get() throws.
  Part part(const base::Context& ctx, std::uint64_t number);
  // The chunk's bytes, as many as the disk has there.
  std::shared_ptr<const base::Bytes> chunk(const base::Context& ctx, std::uint64_t number, const ChunkId& id);
  // Makes the next chunk() of it quick, unless somebody is at that already.
  void get_ahead(const base::Context& ctx, std::uint64_t number, const ChunkId& id);

 private:
  class Borrowed;
  // Throws Error{corrupt} unless they are as many as that chunk of the disk has.
  void check_size(const base::Bytes& bytes, std::uint64_t number, const ChunkId& id) const;
  SharedCache<base::Bytes>::Made read_chunk(const base::Context& ctx, std::uint64_t number, const ChunkId& id);
  SharedCache<MapPage>::Made read_page(const base::Context& ctx, const ChunkId& id, std::uint8_t level,
                                       std::size_t entries);
  std::shared_ptr<const MapPage> page(const base::Context& ctx, const ChunkId& id, std::uint8_t level,
                                      std::uint64_t number);

  const Repository& repository_;
  const Index& index_;
  const DiskMap map_;
  PackKeyCache keys_;
  SharedCache<base::Bytes> chunks_;
  SharedCache<MapPage> pages_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<ChunkReader>> idle_;
};

}  // namespace muster::backup
