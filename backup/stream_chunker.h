// Cuts byte streams where their content says, so that what was inserted or removed moves no cut but those around it:
// FastCDC with normalised chunking (Xia et al., FastCDC, USENIX ATC 2016), its table of a key, so that sizes of chunks
// do not give away well-known content to whoever lacks it. Thread-safe once made.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "backup/crypto.h"
#include "base/bytes.h"

namespace muster::backup {

struct ChunkSizes {
  std::size_t least = 256U << 10;
  std::size_t average = 1U << 20;  // a power of two
  std::size_t most = 4U << 20;
};

class StreamChunker {
 public:
  // Throws Error{usage} for sizes that are in no order, or an average that is no power of two.
  explicit StreamChunker(const Secret& key, const ChunkSizes& sizes = {});

  // The length of the first chunk of `bytes`: 1 to `most`, if there are any. What it says holds where `bytes` has
  // `most` bytes or is all that is left of the stream.
  std::size_t first_chunk(base::ByteView bytes) const;
  const ChunkSizes& sizes() const { return sizes_; }

 private:
  ChunkSizes sizes_;
  std::uint64_t strict_mask_, loose_mask_;
  std::array<std::uint64_t, 256> gear_{};
};

}  // namespace muster::backup
