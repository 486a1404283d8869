#include "backup/restore.h"

#include <algorithm>
#include <mutex>

#include "backup/object_names.h"
#include "backup/rate_limit.h"
#include "backup/read_plan.h"
#include "backup/thread_group.h"
#include "base/bounded_queue.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Bytes;
using base::ByteView;
using base::Code;
using base::Context;
using base::Error;
using disk::ByteRange;

// Leaves that are planned together: 1 GiB of disk at the usual chunk size.
constexpr std::uint64_t kWindowLeaves = 16;

bool is_zero(ByteView bytes) {
  return bytes.empty() ||
         (bytes.front() == std::byte{} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// The named chunks of some leaves, and the ranges without a name.
struct Window {
  std::vector<std::pair<std::uint64_t, ChunkId>> chunks;
  std::vector<ByteRange> zeroes;
  std::uint64_t bytes = 0;
};

// A disk's map in windows, from its beginning to its end.
class Windows {
 public:
  Windows(const Context& ctx, ChunkReader& chunks, const DiskMap& map)
      : map_(map), reader_(chunks, map), leaves_(reader_.leaf_names(ctx)) {}

  std::optional<Window> next(const Context& ctx) {
    if (leaf_ == leaves_.size()) return std::nullopt;
    Window window;
    for (std::uint64_t end = std::min<std::uint64_t>(leaves_.size(), leaf_ + kWindowLeaves); leaf_ < end; ++leaf_) {
      const auto entries = reader_.leaf(ctx, leaves_[leaf_], leaf_);
      for (std::size_t i = 0; i < entries.size(); ++i) add(window, leaf_ * kMapFanout + i, entries[i]);
    }
    return window;
  }

 private:
  void add(Window& window, std::uint64_t number, const MapEntry& entry) const {
    const ByteRange range{number * map_.chunk_bytes, map_.chunk_size(number)};
    window.bytes += range.length;
    if (entry)
      window.chunks.emplace_back(number, *entry);
    else if (!window.zeroes.empty() && window.zeroes.back().end() == range.offset)
      window.zeroes.back().length += range.length;
    else
      window.zeroes.push_back(range);
  }

  DiskMap map_;
  MapReader reader_;
  std::vector<MapEntry> leaves_;
  std::uint64_t leaf_ = 0;
};

class DiskRestore {
 public:
  DiskRestore(const Repository& repository, const Index& index, const RestoreRequest& request,
              disk::BlockReader& target, Progress& progress)
      : repository_(repository),
        index_(index),
        request_(request),
        reader_(target),
        keys_(repository),
        rate_(request.bytes_per_second),
        progress_(progress) {}

  RestoreCounts write(const Context& ctx, disk::BlockWriter& target);
  std::vector<ByteRange> compare(const Context& ctx);

 private:
  ChunkReader new_reader() {
    ChunkReader reader(repository_, index_, keys_);
    reader.accept_only(request_.domain);
    return reader;
  }
  std::vector<std::pair<std::uint64_t, ChunkId>> different(const Context& ctx, const Window& window);
  std::vector<ByteRange> not_zero(const Context& ctx, const Window& window);
  std::vector<WantedChunk> places(const Context& ctx, const std::vector<std::pair<std::uint64_t, ChunkId>>& chunks);
  struct RecordBytes {
    ByteView sealed;
    Bytes& plain;
  };
  bool try_read(const Context& ctx, const std::string& pack, std::uint64_t offset, Bytes& bytes) const;
  static bool try_open(const Context& ctx, ChunkReader& chunks, const ChunkPlace& place, const RecordBytes& record);
  // What a thread works in, from piece to piece: fresh memory would cost a tenth of its time.
  struct Workspace {
    ChunkReader chunks;
    Bytes sealed{}, plain{};
  };
  void write_piece(const Context& ctx, Workspace& space, const PackRead& read, disk::BlockWriter& target);
  void write_window(const Context& ctx, const Window& window, disk::BlockWriter& target);
  void write_zeroes(const Context& ctx, const Window& window, disk::BlockWriter& target);

  const Repository& repository_;
  const Index& index_;
  const RestoreRequest& request_;
  disk::BlockReader& reader_;
  PackKeyCache keys_;
  RateLimit rate_;
  Progress& progress_;
  std::atomic<std::uint64_t> written_ = 0, zeroed_ = 0, kept_ = 0;
};

// Those of the window whose bytes on the target have another name.
std::vector<std::pair<std::uint64_t, ChunkId>> DiskRestore::different(const Context& ctx, const Window& window) {
  std::mutex mutex;
  std::vector<std::pair<std::uint64_t, ChunkId>> found;
  in_parallel(ctx, worker_count(request_.workers), window.chunks.size(), [&] {
    return [&, chunks = std::make_shared<ChunkReader>(new_reader()), bytes = Bytes()](const Context& own,
                                                                                      std::size_t i) mutable {
      const auto& [number, id] = window.chunks[i];
      bytes.resize(request_.map.chunk_size(number));
      reader_.read(own, number * request_.map.chunk_bytes, bytes);
      if (chunks->id_of(RecordKind::chunk, request_.domain, bytes) == id ||
          chunks->id_of(RecordKind::chunk, kBaseDomain, bytes) == id) {
        kept_ += bytes.size();
        return;
      }
      const std::lock_guard lock(mutex);
      found.push_back(window.chunks[i]);
    };
  });
  std::sort(found.begin(), found.end());
  return found;
}

// What of the window's zeroes holds something else on the target.
std::vector<ByteRange> DiskRestore::not_zero(const Context& ctx, const Window& window) {
  std::vector<ByteRange> found;
  Bytes bytes;
  for (const auto& zeroes : window.zeroes)
    for (const auto& data : reader_.data_ranges(ctx, zeroes))
      for (std::uint64_t at = data.offset; at < data.end(); at += request_.map.chunk_bytes) {
        ctx.check_stop();
        bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(request_.map.chunk_bytes, data.end() - at)));
        reader_.read(ctx, at, bytes);
        if (!is_zero(bytes)) found.push_back({at, bytes.size()});
      }
  return found;
}

std::vector<WantedChunk> DiskRestore::places(const Context& ctx,
                                             const std::vector<std::pair<std::uint64_t, ChunkId>>& chunks) {
  std::vector<WantedChunk> wanted;
  wanted.reserve(chunks.size());
  for (const auto& [number, id] : chunks) {
    auto place = index_.find(ctx, RecordKind::chunk, id);
    if (!place) {
      // Perhaps one that is quarantined; write_piece() looks.
      const auto all = index_.find_all(ctx, RecordKind::chunk, id);
      if (!all.empty()) place = all.front();
    }
    if (!place) throw Error(Code::corrupt, "chunk " + hex(id) + ": missing; `muster backup check` tells more");
    wanted.push_back({number, *place});
  }
  return wanted;
}

// False where the pack is gone or damaged: chunks are looked for one by one then.
bool DiskRestore::try_read(const Context& ctx, const std::string& pack, std::uint64_t offset, Bytes& bytes) const {
  try {
    return repository_.storage().get_range(ctx, pack, offset, bytes) == bytes.size();
  } catch (const Error& e) {
    if (e.code() != Code::not_found) throw;
    return false;
  }
}

bool DiskRestore::try_open(const Context& ctx, ChunkReader& chunks, const ChunkPlace& place,
                           const RecordBytes& record) {
  try {
    return chunks.open(ctx, place, record.sealed, record.plain), true;
  } catch (const Error& e) {
    if (e.code() != Code::corrupt && e.code() != Code::not_found) throw;
    return false;
  }
}

void DiskRestore::write_piece(const Context& ctx, Workspace& space, const PackRead& read, disk::BlockWriter& target) {
  space.sealed.resize(read.bytes);
  const std::string name = pack_name(read.pack);
  rate_.spend(ctx, read.bytes);
  const bool read_whole = try_read(ctx, name, read.offset, space.sealed);
  const RecordPlace* opened = nullptr;
  for (const auto& chunk : read.chunks) {
    ctx.check_stop();
    const RecordPlace& place = chunk.place.place;
    // Equal chunks follow one another. Of one place, another name is another chunk, whatever a table says.
    if (opened == nullptr || !(*opened == place)) {
      const ByteView record = ByteView(space.sealed).subspan(place.offset - read.offset, place.record_bytes);
      if (!read_whole || !try_open(ctx, space.chunks, chunk.place, {record, space.plain}))
        space.chunks.get(ctx, RecordKind::chunk, place.id, space.plain);
    }
    opened = &place;
    if (space.plain.size() != request_.map.chunk_size(chunk.number))
      throw Error(Code::corrupt, "chunk " + hex(place.id) + ": has a wrong size");
    target.write(ctx, chunk.number * request_.map.chunk_bytes, space.plain);
    written_ += space.plain.size();
    progress_.done += space.plain.size();
  }
}

void DiskRestore::write_zeroes(const Context& ctx, const Window& window, disk::BlockWriter& target) {
  if (request_.before == Before::blank) return;
  for (const auto& range : request_.before == Before::similar ? not_zero(ctx, window) : window.zeroes) {
    target.write_zeroes(ctx, range);
    zeroed_ += range.length;
  }
}

void DiskRestore::write_window(const Context& ctx, const Window& window, disk::BlockWriter& target) {
  const std::uint64_t kept_before = kept_;
  write_zeroes(ctx, window, target);
  const auto reads =
      plan_reads(places(ctx, request_.before == Before::similar ? different(ctx, window) : window.chunks));
  in_parallel(ctx, worker_count(request_.workers), reads.size(), [&] {
    return [&, space = std::make_shared<Workspace>(Workspace{new_reader()})](const Context& own, std::size_t i) {
      write_piece(own, *space, reads[i], target);
    };
  });
  progress_.done += kept_ - kept_before;
  for (const auto& zeroes : window.zeroes) progress_.done += zeroes.length;
}

RestoreCounts DiskRestore::write(const Context& ctx, disk::BlockWriter& target) {
  if (target.size_bytes() < request_.map.size_bytes)
    throw Error(Code::refused, "the target is smaller than the disk of the restore point");
  progress_.total += request_.map.size_bytes;
  ChunkReader chunks = new_reader();
  Windows windows(ctx, chunks, request_.map);
  while (const auto window = windows.next(ctx)) write_window(ctx, *window, target);
  target.flush(ctx);
  return {.written_bytes = written_, .zeroed_bytes = zeroed_, .kept_bytes = kept_};
}

std::vector<ByteRange> DiskRestore::compare(const Context& ctx) {
  progress_.total += request_.map.size_bytes;
  ChunkReader chunks = new_reader();
  Windows windows(ctx, chunks, request_.map);
  std::vector<ByteRange> wrong;
  while (const auto window = windows.next(ctx)) {
    for (const auto& [number, id] : different(ctx, *window))
      wrong.push_back({number * request_.map.chunk_bytes, request_.map.chunk_size(number)});
    for (const auto& range : not_zero(ctx, *window)) wrong.push_back(range);
    progress_.done += window->bytes;
  }
  return wrong;
}

}  // namespace

RestoreCounts restore_disk(const Context& ctx, const Repository& repository, const Index& index,
                           const RestoreRequest& request, disk::BlockWriter& target, Progress& progress) {
  return DiskRestore(repository, index, request, target, progress).write(ctx, target);
}

std::vector<ByteRange> differing_chunks(const Context& ctx, const Repository& repository, const Index& index,
                                        const RestoreRequest& request, disk::BlockReader& target, Progress& progress) {
  return DiskRestore(repository, index, request, target, progress).compare(ctx);
}

}  // namespace muster::backup
