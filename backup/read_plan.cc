#include "backup/read_plan.h"

#include <algorithm>
#include <tuple>

namespace muster::backup {
namespace {

// Read over, rather than asked for anew.
constexpr std::uint32_t kSmallGap = 128U << 10;

bool joins(const PackRead& read, const RecordPlace& place, const ObjectId& pack, std::uint32_t most) {
  const std::uint64_t end = std::uint64_t{place.offset} + place.record_bytes, read_end = read.offset + read.bytes;
  return read.pack == pack && place.offset <= read_end + kSmallGap && end - read.offset <= most;
}

}  // namespace

std::vector<PackRead> plan_reads(std::vector<WantedChunk> chunks, std::uint32_t most) {
  std::sort(chunks.begin(), chunks.end(), [](const WantedChunk& a, const WantedChunk& b) {
    return std::tie(a.place.pack, a.place.place.offset, a.number) <
           std::tie(b.place.pack, b.place.place.offset, b.number);
  });
  std::vector<PackRead> reads;
  for (const auto& chunk : chunks) {
    const RecordPlace& place = chunk.place.place;
    if (reads.empty() || !joins(reads.back(), place, chunk.place.pack, most))
      reads.push_back({.pack = chunk.place.pack, .offset = place.offset, .bytes = place.record_bytes, .chunks = {}});
    PackRead& read = reads.back();
    read.bytes = std::max(read.bytes, place.offset + place.record_bytes - read.offset);
    read.chunks.push_back(chunk);
  }
  return reads;
}

}  // namespace muster::backup
