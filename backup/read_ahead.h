// Threads that decode the chunks which reads of a disk will want next, so that one reader that goes on keeps all
// processors busy. Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "backup/point_chunks.h"
#include "backup/read_streams.h"

namespace muster::backup {

class ReadAhead {
 public:
  // `chunks` outlives it. `window`: how far ahead of one stream of reads; `threads`: 1 or more.
  ReadAhead(PointChunks& chunks, std::uint64_t window, unsigned threads);
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  // Waits until its threads have done with one chunk each at most.
  ~ReadAhead() = default;

  // Such a read begins. Does not wait.
  void note(ChunkSpan read);

 private:
  std::optional<std::uint64_t> next(const std::stop_token& stop);
  void work(const std::stop_token& stop);

  PointChunks& chunks_;
  ReadStreams streams_;
  std::mutex mutex_;
  std::condition_variable_any filled_;
  std::deque<ChunkSpan> wanted_;
  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace muster::backup
