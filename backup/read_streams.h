// Tells from the reads of a disk which of them go on where an earlier one ended, and what such a stream will want next.
// Several streams may run beside one another, and the requests of one come in almost any order. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

namespace muster::backup {

// Chunks [first, end) of a disk, by number.
struct ChunkSpan {
  std::uint64_t first = 0, end = 0;
  bool empty() const { return first >= end; }
  bool operator==(const ChunkSpan&) const = default;
};

class ReadStreams {
 public:
  static constexpr std::size_t kStreams = 16;

  // `window`: how many chunks ahead of a stream.
  explicit ReadStreams(std::uint64_t window) : window_(window) {}

  // Takes note of a read, and returns what is worth getting meanwhile: the rest of that read, and what follows once it
  // is a stream. Nothing is named twice for one stream; it may lie beyond the disk.
  ChunkSpan note(ChunkSpan read);

 private:
  struct Stream {
    std::uint64_t next = 0;       // after the furthest read
    std::uint64_t named = 0;      // up to here it was told
    std::uint64_t last_read = 0;  // a count of reads; 0: no stream yet
  };
  Stream* stream_of(ChunkSpan read);
  Stream& oldest();

  const std::uint64_t window_;
  std::mutex mutex_;
  std::array<Stream, kStreams> streams_;
  std::uint64_t reads_ = 0;
};

}  // namespace muster::backup
