#include "backup/read_streams.h"

#include <algorithm>

namespace muster::backup {

// Of a read that begins in the chunk read last, or somewhat later: the one before is perhaps still under way.
ReadStreams::Stream* ReadStreams::stream_of(ChunkSpan read) {
  for (auto& stream : streams_)
    if (stream.last_read != 0 && read.first + 1 >= stream.next && read.first < stream.next + window_) return &stream;
  return nullptr;
}

ReadStreams::Stream& ReadStreams::oldest() {
  return *std::min_element(streams_.begin(), streams_.end(),
                           [](const Stream& a, const Stream& b) { return a.last_read < b.last_read; });
}

ChunkSpan ReadStreams::note(ChunkSpan read) {
  const std::lock_guard lock(mutex_);
  Stream* known = stream_of(read);
  Stream& stream = known != nullptr ? *known : oldest();
  if (known == nullptr) stream = {.next = read.end, .named = read.first + 1, .last_read = 0};
  stream.last_read = ++reads_;
  // Many small reads of one chunk are no stream yet.
  const bool goes_on = known != nullptr && read.end > stream.next;
  stream.next = std::max(stream.next, read.end);
  const ChunkSpan ahead{std::max(stream.named, read.first + 1), goes_on ? stream.next + window_ : read.end};
  stream.named = std::max(stream.named, ahead.end);
  return ahead;
}

}  // namespace muster::backup
