#include "backup/disk_intake.h"

#include <algorithm>
#include <thread>

#include "backup/map_builder.h"
#include "backup/thread_group.h"
#include "base/bounded_queue.h"

namespace muster::backup {
namespace {

using base::Bytes;
using base::ByteView;
using base::Context;
using base::MutableBytes;
using disk::ByteRange;

// Read at once: some chunks that adjoin.
constexpr std::uint64_t kBatchBytes = 1U << 20;
// A hole smaller than that is read with what is around it.
constexpr std::uint64_t kSmallestGap = 64U << 10;

bool is_zero(ByteView bytes) {
  if (bytes.empty() || bytes.front() != std::byte{}) return bytes.empty();
  return std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

// A leaf of the map that is being made: the last of those who work at it makes the page.
struct Leaf {
  std::uint64_t number = 0;
  std::vector<MapEntry> before;   // of the parent, or empty
  std::vector<MapEntry> entries;  // each written by one thread
  std::atomic<std::size_t> pending = 1;
};

// Memory of batches, used again and again: fresh memory costs more than reading into it.
class BatchBuffers {
 public:
  using Buffer = std::unique_ptr<std::byte[]>;
  explicit BatchBuffers(std::size_t bytes) : bytes_(bytes) {}

  Buffer take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique_for_overwrite<std::byte[]>(bytes_);
    Buffer buffer = std::move(free_.back());
    free_.pop_back();
    return buffer;
  }
  void give_back(Buffer buffer) {
    const std::lock_guard lock(mutex_);
    if (buffer) free_.push_back(std::move(buffer));
  }

 private:
  const std::size_t bytes_;
  std::mutex mutex_;
  std::vector<Buffer> free_;
};

// Some chunks that adjoin, read.
struct Batch {
  std::shared_ptr<Leaf> leaf;
  std::size_t first = 0;  // entry of the leaf
  BatchBuffers::Buffer buffer;
  std::size_t size = 0;
};

// Ranges closer than kSmallestGap become one; ends stay.
std::vector<ByteRange> without_small_gaps(const std::vector<ByteRange>& ranges) {
  std::vector<ByteRange> joined;
  for (const auto& range : ranges)
    if (!joined.empty() && range.offset - joined.back().end() < kSmallestGap)
      joined.back().length = range.end() - joined.back().offset;
    else
      joined.push_back(range);
  return joined;
}

class DiskIntake {
 public:
  DiskIntake(Intake& intake, const DiskSource& source, const DiskMap* parent, const AuditPart& audit)
      : intake_(intake),
        source_(source),
        audit_(audit),
        queue_(intake.options.memory_bytes),
        map_{.size_bytes = source.reader->size_bytes(),
             .chunk_bytes = intake.repository.config().chunk_bytes,
             .root = {}},
        // Another chunk size has other chunks; another disk size has other leaves at the end only.
        parent_(parent != nullptr && parent->chunk_bytes == map_.chunk_bytes ? parent : nullptr),
        buffers_(batch_chunks() * map_.chunk_bytes) {}

  DiskMap run(const Context& ctx);

 private:
  void read_parent(const Context& ctx);
  void read_leaves(const Context& ctx);
  void read_leaf(const Context& ctx, MapReader* parent, std::uint64_t number);
  std::shared_ptr<Leaf> begin_leaf(const Context& ctx, MapReader* parent, std::uint64_t number) const;
  std::vector<bool> wanted_chunks(const Context& ctx, Leaf& leaf, std::vector<ByteRange>& data) const;
  void read_batches(const Context& ctx, const std::shared_ptr<Leaf>& leaf, const std::vector<bool>& wanted,
                    const std::vector<ByteRange>& data);
  void read_chunks(const Context& ctx, ByteRange where, const std::vector<ByteRange>& data, MutableBytes into);
  void work(const Context& ctx);
  MapEntry take_chunk(const Context& ctx, RecordSealer& sealer, const MapEntry& before, ByteView plain);
  void finish_part(RecordSealer& sealer, Leaf& leaf);
  std::size_t batch_chunks() const {
    return static_cast<std::size_t>(std::max<std::uint64_t>(1, kBatchBytes / map_.chunk_bytes));
  }
  static ByteRange leaf_range(std::uint64_t number, const DiskMap& map);
  bool is_inherited(std::uint64_t number) const;
  bool is_lost(const MapEntry& entry) const { return entry && intake_.index.is_damaged(*entry); }
  bool is_dirty(ByteRange range) const;
  bool is_audited(const Leaf& leaf, std::size_t entry) const;
  bool tells_changes() const { return source_.dirty && parent_ != nullptr; }

  Intake& intake_;
  const DiskSource& source_;
  const AuditPart audit_;
  base::BoundedQueue<Batch> queue_;
  DiskMap map_;
  const DiskMap* parent_;
  BatchBuffers buffers_;
  std::vector<MapEntry> parent_leaves_;
  std::vector<MapEntry> leaves_;  // each written by one thread
  std::atomic<std::uint64_t> next_leaf_ = 0;
  std::atomic<unsigned> reading_ = 0;
};

ByteRange DiskIntake::leaf_range(std::uint64_t number, const DiskMap& map) {
  const std::uint64_t bytes = std::uint64_t{kMapFanout} * map.chunk_bytes, offset = number * bytes;
  return {offset, std::min(bytes, map.size_bytes - offset)};
}

// A leaf that is the same part of the disk, in which nothing is dirty. With damage about, each chunk is looked at.
bool DiskIntake::is_inherited(std::uint64_t number) const {
  const ByteRange range = leaf_range(number, map_);
  return number < parent_leaves_.size() && !audit_.has(number) && leaf_range(number, *parent_) == range &&
         !is_dirty(range) && !intake_.index.knows_of_damage();
}

bool DiskIntake::is_dirty(ByteRange range) const {
  if (!tells_changes()) return true;
  const auto& dirty = *source_.dirty;
  const auto found = std::lower_bound(dirty.begin(), dirty.end(), range.offset,
                                      [](const ByteRange& r, std::uint64_t offset) { return r.end() <= offset; });
  return found != dirty.end() && found->offset < range.end();
}

void DiskIntake::read_parent(const Context& ctx) {
  if (parent_ == nullptr) return;
  try {
    ChunkReader chunks(intake_.repository, intake_.index, intake_.keys);
    parent_leaves_ = MapReader(chunks, *parent_).leaf_names(ctx);
  } catch (const base::Error& e) {
    if (e.code() != base::Code::corrupt) throw;
    ctx.warn(source_.source + ": the earlier backup's map cannot be read, so all is read: " + e.what());
    parent_ = nullptr;
  }
}

std::shared_ptr<Leaf> DiskIntake::begin_leaf(const Context& ctx, MapReader* parent, std::uint64_t number) const {
  auto leaf = std::make_shared<Leaf>();
  leaf->number = number;
  const std::uint64_t first = number * kMapFanout;
  leaf->entries.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kMapFanout, map_.chunks() - first)));
  if (parent != nullptr && number < parent_leaves_.size()) {
    try {
      leaf->before = parent->leaf(ctx, parent_leaves_[number], number);
      // A last chunk that grew or shrank has another name, and so is read.
      leaf->before.resize(leaf->entries.size());
    } catch (const base::Error& e) {
      if (e.code() != base::Code::corrupt) throw;
      ctx.warn(source_.source + ": a part of the earlier backup's map cannot be read: " + e.what());
    }
  }
  return leaf;
}

// One that is looked at although nothing is said to have changed there.
bool DiskIntake::is_audited(const Leaf& leaf, std::size_t entry) const {
  if (!tells_changes() || !audit_.has(leaf.number) || leaf.before.empty() || is_lost(leaf.before[entry])) return false;
  const std::uint64_t number = leaf.number * kMapFanout + entry;
  return number < parent_->chunks() && parent_->chunk_size(number) == map_.chunk_size(number) &&
         !is_dirty({number * map_.chunk_bytes, map_.chunk_size(number)});
}

// Which chunks are to be read; the others' entries are made here. `data`: where the leaf has data, for reading.
std::vector<bool> DiskIntake::wanted_chunks(const Context& ctx, Leaf& leaf, std::vector<ByteRange>& data) const {
  const ByteRange range = leaf_range(leaf.number, map_);
  data = without_small_gaps(source_.reader->data_ranges(ctx, range));
  std::vector<bool> wanted(leaf.entries.size());
  for (const auto& part : data)
    for (std::uint64_t i = (part.offset - range.offset) / map_.chunk_bytes;
         i <= (part.end() - 1 - range.offset) / map_.chunk_bytes; ++i)
      wanted[static_cast<std::size_t>(i)] = true;
  if (!source_.dirty || leaf.before.empty()) return wanted;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::uint64_t number = leaf.number * kMapFanout + i;
    if (is_audited(leaf, i)) {
      if (wanted[i]) intake_.counts.audited_bytes += map_.chunk_size(number);
      // Zeroes by the source's word, and not by the map's.
      if (!wanted[i] && leaf.before[i]) ++intake_.counts.audit_differences;
      continue;
    }
    const bool same_shape = number < parent_->chunks() && parent_->chunk_size(number) == map_.chunk_size(number);
    if (!same_shape || is_lost(leaf.before[i]) || is_dirty({number * map_.chunk_bytes, map_.chunk_size(number)}))
      continue;
    wanted[i] = false;
    leaf.entries[i] = leaf.before[i];
  }
  return wanted;
}

void DiskIntake::read_chunks(const Context& ctx, ByteRange where, const std::vector<ByteRange>& data,
                             MutableBytes into) {
  const auto at = [&](std::uint64_t offset) { return static_cast<std::size_t>(offset - where.offset); };
  auto part = std::lower_bound(data.begin(), data.end(), where.offset,
                               [](const ByteRange& r, std::uint64_t offset) { return r.end() <= offset; });
  std::uint64_t filled = where.offset;
  for (; part != data.end() && part->offset < where.end(); ++part) {
    const std::uint64_t from = std::max(part->offset, where.offset), to = std::min(part->end(), where.end());
    std::fill(into.begin() + static_cast<std::ptrdiff_t>(at(filled)),
              into.begin() + static_cast<std::ptrdiff_t>(at(from)), std::byte{});
    intake_.rate.spend(ctx, to - from);
    source_.reader->read(ctx, from, into.subspan(at(from), static_cast<std::size_t>(to - from)));
    intake_.counts.read_bytes += to - from;
    filled = to;
  }
  std::fill(into.begin() + static_cast<std::ptrdiff_t>(at(filled)), into.end(), std::byte{});
}

void DiskIntake::read_batches(const Context& ctx, const std::shared_ptr<Leaf>& leaf, const std::vector<bool>& wanted,
                              const std::vector<ByteRange>& data) {
  const std::size_t most = batch_chunks();
  for (std::size_t first = 0; first < wanted.size();) {
    std::size_t end = first;
    while (end < wanted.size() && end - first < most && wanted[end]) ++end;
    if (end == first) {
      ++first;
      continue;
    }
    ctx.check_stop();
    const std::uint64_t offset = (leaf->number * kMapFanout + first) * map_.chunk_bytes;
    const std::uint64_t length = std::min((end - first) * std::uint64_t{map_.chunk_bytes}, map_.size_bytes - offset);
    Batch batch{.leaf = leaf, .first = first, .buffer = buffers_.take(), .size = static_cast<std::size_t>(length)};
    read_chunks(ctx, {offset, length}, data, {batch.buffer.get(), batch.size});
    ++leaf->pending;
    const std::size_t weight = batch.size;
    if (!queue_.push(std::move(batch), weight)) return;  // somebody failed, and says why
    first = end;
  }
}

void DiskIntake::read_leaf(const Context& ctx, MapReader* parent, std::uint64_t number) {
  ctx.check_stop();
  if (is_inherited(number)) {
    leaves_[number] = parent_leaves_[number];
    return;
  }
  const auto leaf = begin_leaf(ctx, parent, number);
  std::vector<ByteRange> data;
  const auto wanted = wanted_chunks(ctx, *leaf, data);
  if (!tells_changes())
    intake_.counts.dirty_bytes +=
        static_cast<std::uint64_t>(std::count(wanted.begin(), wanted.end(), true)) * map_.chunk_bytes;
  read_batches(ctx, leaf, wanted, data);
  // The readers' own part of `pending`, as an empty batch: pages are a worker's business.
  queue_.push(Batch{.leaf = leaf, .first = 0, .buffer = {}, .size = 0}, 0);
}

void DiskIntake::read_leaves(const Context& ctx) {
  ChunkReader chunks(intake_.repository, intake_.index, intake_.keys);
  std::optional<MapReader> parent;
  if (parent_ != nullptr) parent.emplace(chunks, *parent_);
  const std::uint64_t count = leaves_.size();
  for (std::uint64_t number = next_leaf_++; number < count; number = next_leaf_++) {
    read_leaf(ctx, parent ? &*parent : nullptr, number);
    intake_.progress.done += leaf_range(number, map_).length;
  }
  if (--reading_ == 0) queue_.close();
}

MapEntry DiskIntake::take_chunk(const Context& ctx, RecordSealer& sealer, const MapEntry& before, ByteView plain) {
  ++intake_.counts.chunks;
  if (is_zero(plain)) return std::nullopt;
  const ChunkNames names = names_of(intake_, sealer, plain);
  // What the parent has is there as long as the parent is, or settle.h finds out.
  const bool is_known = before && (before == names.own || before == names.base) && !is_lost(before);
  return is_known ? *before : store_chunk(ctx, intake_, sealer, names, plain);
}

void DiskIntake::finish_part(RecordSealer& sealer, Leaf& leaf) {
  if (--leaf.pending != 0) return;
  leaves_[leaf.number] = store_page(intake_.writer, sealer, 0, leaf.entries);
}

void DiskIntake::work(const Context& ctx) {
  RecordSealer sealer = intake_.new_sealer();
  while (auto batch = queue_.pop()) {
    ctx.check_stop();
    const ByteView bytes(batch->buffer.get(), batch->size);
    Leaf& leaf = *batch->leaf;
    for (std::size_t at = 0, i = batch->first; at < bytes.size(); at += map_.chunk_bytes, ++i) {
      const MapEntry before = leaf.before.empty() ? MapEntry() : leaf.before[i];
      leaf.entries[i] = take_chunk(ctx, sealer, before,
                                   bytes.subspan(at, std::min<std::size_t>(map_.chunk_bytes, bytes.size() - at)));
      if (leaf.entries[i] == before || !is_audited(leaf, i)) continue;
      // The base's name for it, which is not looked for where there is no master any more.
      const auto plain = bytes.subspan(at, std::min<std::size_t>(map_.chunk_bytes, bytes.size() - at));
      if (before && sealer.base_id_of(plain) == before)
        leaf.entries[i] = before;
      else
        ++intake_.counts.audit_differences;
    }
    buffers_.give_back(std::move(batch->buffer));
    finish_part(sealer, leaf);
  }
}

DiskMap DiskIntake::run(const Context& ctx) {
  map_.domain = intake_.repository.credential().home();
  leaves_.resize(map_.leaves());
  read_parent(ctx);
  if (tells_changes())
    for (const auto& range : *source_.dirty) intake_.counts.dirty_bytes += range.length;
  ThreadGroup group(ctx);
  group.on_failure([&] { queue_.abandon(); });
  const unsigned workers =
      intake_.options.workers != 0 ? intake_.options.workers : std::max(1U, std::thread::hardware_concurrency());
  reading_ = std::max(1U, intake_.options.readers);
  for (unsigned i = reading_; i > 0; --i) group.start([this](const Context& own) { read_leaves(own); });
  for (unsigned i = 0; i < workers; ++i) group.start([this](const Context& own) { work(own); });
  group.join();
  RecordSealer sealer = intake_.new_sealer();
  map_.root = build_upper_levels(ctx, intake_.writer, sealer, map_, std::move(leaves_));
  return map_;
}

}  // namespace

DiskMap take_in(const Context& ctx, Intake& intake, const DiskSource& source, const DiskMap* parent,
                const AuditPart& audit) {
  return DiskIntake(intake, source, parent, audit).run(ctx);
}

}  // namespace muster::backup
