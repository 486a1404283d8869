#include "backup/read_ahead.h"

#include <algorithm>
#include <exception>

namespace muster::backup {

ReadAhead::ReadAhead(PointChunks& chunks, std::uint64_t window, unsigned threads) : chunks_(chunks), streams_(window) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
}

void ReadAhead::note(ChunkSpan read) {
  ChunkSpan ahead = streams_.note(read);
  ahead.end = std::min(ahead.end, chunks_.map().chunks());
  if (ahead.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    wanted_.push_back(ahead);
    // What is left of older ones is read by now, or never.
    if (wanted_.size() > ReadStreams::kStreams) wanted_.pop_front();
  }
  filled_.notify_all();
}

std::optional<std::uint64_t> ReadAhead::next(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  filled_.wait(lock, stop, [&] { return !wanted_.empty(); });
  if (stop.stop_requested()) return std::nullopt;
  ChunkSpan& span = wanted_.front();
  const std::uint64_t number = span.first++;
  if (span.empty()) wanted_.pop_front();
  return number;
}

void ReadAhead::work(const std::stop_token& stop) {
  const base::Context ctx{.stop = stop};
  while (const auto number = next(stop)) {
    try {
      const auto part = chunks_.part(ctx, *number);
      if (const auto& id = part.entry(*number)) chunks_.get_ahead(ctx, *number, *id);
    } catch (const std::exception&) {
      // Whoever reads the chunk is told.
    }
  }
}

}  // namespace muster::backup
