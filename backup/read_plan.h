// Orders chunks by where they lie, so that packs are read from front to back in few large pieces. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "backup/index.h"

namespace muster::backup {

struct WantedChunk {
  std::uint64_t number = 0;  // of the disk
  ChunkPlace place;
};

// Chunks of one piece of a pack, by offset; several may be the same record.
struct PackRead {
  ObjectId pack;
  std::uint32_t offset = 0, bytes = 0;
  std::vector<WantedChunk> chunks;
};

constexpr std::uint32_t kMaxReadBytes = 4U << 20;

// Pieces of at most `most` bytes (a single record may have more), small gaps included.
std::vector<PackRead> plan_reads(std::vector<WantedChunk> chunks, std::uint32_t most = kMaxReadBytes);

}  // namespace muster::backup
