#include "disk/qcow2_writer.h"

#include <algorithm>
#include <bit>
#include <mutex>

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"
#include "disk/byte_ranges.h"
#include "disk/disk_file.h"
#include "disk/file_io.h"
#include "disk/new_file.h"

namespace muster::disk {
namespace {

using base::Bytes;
using base::Code;
using base::Context;
using base::Error;

constexpr std::uint64_t kSectorBytes = 512;
constexpr std::uint64_t kMaxL1Bytes = 32U << 20;  // QEMU takes no larger one
// Of L1 and L2 entries: nobody else refers to the cluster; where it is in the file.
constexpr std::uint64_t kCopied = 1ULL << 63U, kOffset = 0x00ff'ffff'ffff'fe00;
constexpr std::uint64_t kMaxCountsTableBytes = 8U << 20;
constexpr std::uint64_t kFirstCountsCluster = 1, kCountsTableCluster = 2;

std::uint64_t parts(std::uint64_t whole, std::uint64_t part) { return (whole + part - 1) / part; }

class BigEndian {
 public:
  void u16(std::uint16_t value) { number(value, 2); }
  void u32(std::uint32_t value) { number(value, 4); }
  void u64(std::uint64_t value) { number(value, 8); }
  const Bytes& bytes() const { return bytes_; }

 private:
  void number(std::uint64_t value, int size) {
    for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) bytes_.push_back(static_cast<std::byte>(value >> shift));
  }
  Bytes bytes_;
};

std::uint64_t number_at(base::ByteView bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes.subspan(at, 8)) value = value << 8U | static_cast<std::uint64_t>(byte);
  return value;
}

// Clusters of the file, in this order: the header, the first block of counts, the table of such blocks, the L1 table,
// then L2 tables and data as they come. Where a block of counts ends, the next cluster is the block for those after it.
struct Layout {
  Layout(std::uint64_t disk_bytes, std::uint64_t cluster)
      : cluster_bytes(cluster),
        numbers(cluster / 8),
        counts(cluster / 2),
        l1_entries(std::max<std::uint64_t>(1, parts(disk_bytes, numbers * cluster))),
        counts_table_clusters(parts(most_count_blocks(disk_bytes), numbers)),
        l1_cluster(kCountsTableCluster + counts_table_clusters),
        first_free(l1_cluster + parts(l1_entries, numbers)) {}

  std::uint64_t cluster_bytes, numbers, counts;  // what a cluster holds: offsets in tables, counts
  std::uint64_t l1_entries, counts_table_clusters, l1_cluster, first_free;

 private:
  // With all of the disk in the file, and its tables.
  std::uint64_t most_count_blocks(std::uint64_t disk_bytes) const {
    const std::uint64_t all = parts(disk_bytes, cluster_bytes) + l1_entries + parts(l1_entries, numbers) + 3;
    return all / (counts - 1) + 2;
  }
};

// A part of the disk within one L2 table, in whole clusters.
struct Part {
  std::uint64_t table;  // its index
  std::uint64_t first;  // entry in it
  std::size_t count;
};

std::vector<Part> parts_of(const Layout& layout, ByteRange range) {
  std::vector<Part> all;
  const std::uint64_t end = parts(range.end(), layout.cluster_bytes);
  for (std::uint64_t at = range.offset / layout.cluster_bytes; at < end;) {
    const std::uint64_t first = at % layout.numbers, count = std::min(end - at, layout.numbers - first);
    all.push_back({at / layout.numbers, first, static_cast<std::size_t>(count)});
    at += count;
  }
  return all;
}

// Clusters that follow one another on the disk, and in the file where they are in it; `at` is 0 where they are not.
struct Extent {
  ByteRange range;
  std::uint64_t at = 0;
};

std::vector<Extent> extents_of(const Layout& layout, const Part& part, const std::vector<std::uint64_t>& places) {
  std::vector<Extent> all;
  std::uint64_t offset = (part.table * layout.numbers + part.first) * layout.cluster_bytes;
  for (const std::uint64_t at : places) {
    Extent* last = all.empty() ? nullptr : &all.back();
    if (last != nullptr && at == (last->at == 0 ? 0 : last->at + last->range.length))
      last->range.length += layout.cluster_bytes;
    else
      all.push_back({{offset, layout.cluster_bytes}, at});
    offset += layout.cluster_bytes;
  }
  return all;
}

class Qcow2Writer : public BlockWriter {
 public:
  Qcow2Writer(std::string path, DiskFile file, std::uint64_t size_bytes, std::uint64_t cluster_bytes)
      : path_(std::move(path)),
        file_(std::move(file)),
        size_bytes_(size_bytes),
        layout_(size_bytes, cluster_bytes),
        tables_(layout_.l1_entries),
        next_(layout_.first_free) {}

  std::uint64_t size_bytes() const override { return size_bytes_; }
  std::vector<ByteRange> data_ranges(const Context& ctx, ByteRange within) override;
  void read(const Context& ctx, std::uint64_t offset, base::MutableBytes into) override;
  void write(const Context& ctx, std::uint64_t offset, base::ByteView bytes) override;
  void write_zeroes(const Context& ctx, ByteRange range) override;
  void flush(const Context& ctx) override;
  ~Qcow2Writer() override;

  void write_header(const Context& ctx);

 private:
  void put(const Context& ctx, std::uint64_t at, base::ByteView bytes) const {
    write_file_at(ctx, {file_.fd.get(), path_}, at, bytes);
  }
  void put_numbers(const Context& ctx, std::uint64_t at, const std::vector<std::uint64_t>& numbers) const;
  void check_clusters(ByteRange range) const;
  std::vector<std::uint64_t> places_of(const Context& ctx, const Part& part);
  void make_places(const Context& ctx, const Part& part, std::vector<std::uint64_t>& places);
  void cover(const Context& ctx);
  ByteRange allocate(const Context& ctx, std::uint64_t clusters);
  std::uint64_t table_at(std::uint64_t index);
  std::uint64_t count_block_at(std::uint64_t index) const;
  void write_counts(const Context& ctx, std::uint64_t block, std::uint64_t used) const;
  void trim(const Context& ctx);
  void sync() const;

  const std::string path_;
  const DiskFile file_;
  const std::uint64_t size_bytes_;
  const Layout layout_;
  std::mutex mutex_;                   // of what follows
  std::vector<std::uint64_t> tables_;  // where the L2 tables are; 0: nowhere
  std::uint64_t next_;                 // the first free cluster
  std::uint64_t covered_ = 0;          // blocks of counts that say all their clusters are used
  bool trimmed_ = false;               // the last one says what is used
};

void Qcow2Writer::write_header(const Context& ctx) {
  BigEndian header;
  header.u32(0x514649fb);
  header.u32(3);
  header.u64(0);  // no backing file
  header.u32(0);
  header.u32(static_cast<std::uint32_t>(std::countr_zero(layout_.cluster_bytes)));
  header.u64(size_bytes_);
  header.u32(0);  // not encrypted
  header.u32(static_cast<std::uint32_t>(layout_.l1_entries));
  header.u64(layout_.l1_cluster * layout_.cluster_bytes);
  header.u64(kCountsTableCluster * layout_.cluster_bytes);
  header.u32(static_cast<std::uint32_t>(layout_.counts_table_clusters));
  header.u32(0);  // no snapshots
  header.u64(0);
  header.u64(0);  // no features, be it that others have to know them or not
  header.u64(0);
  header.u64(0);
  header.u32(4);    // counts of 2^4 bits
  header.u32(104);  // this header's length
  header.u64(0);    // no extensions
  if (::ftruncate(file_.fd.get(), static_cast<off_t>(layout_.first_free * layout_.cluster_bytes)) != 0)
    base::throw_errno("make " + path_);
  cover(ctx);
  put(ctx, 0, header.bytes());
}

void Qcow2Writer::put_numbers(const Context& ctx, std::uint64_t at, const std::vector<std::uint64_t>& numbers) const {
  BigEndian bytes;
  for (const std::uint64_t number : numbers) bytes.u64(number);
  put(ctx, at, bytes.bytes());
}

void Qcow2Writer::check_clusters(ByteRange range) const {
  check_within(path_, range, size_bytes_);
  const auto is_bound = [&](std::uint64_t at) { return at % layout_.cluster_bytes == 0; };
  const bool in_last = range.end() > (size_bytes_ - 1) / layout_.cluster_bytes * layout_.cluster_bytes;
  if (!is_bound(range.offset) || (!is_bound(range.end()) && !in_last))
    throw Error(Code::usage,
                fmt::format("{}: {} bytes at byte {} are no whole clusters", path_, range.length, range.offset));
}

void Qcow2Writer::sync() const {
  if (::fdatasync(file_.fd.get()) != 0) base::throw_errno(path_ + ": flush");
}

// The counts of the block that the next cluster is in: all of its clusters are used, for good, before any is. So a kill
// leaves clusters that nobody uses, at most, and never one that is given away again. Under mutex_.
void Qcow2Writer::cover(const Context& ctx) {
  const std::uint64_t block = next_ / layout_.counts;
  if (block < covered_) return;
  write_counts(ctx, block, layout_.counts);
  put_numbers(ctx, (kCountsTableCluster * layout_.cluster_bytes) + block * 8, {count_block_at(block)});
  sync();
  covered_ = block + 1;
}

// As many as follow one another before the next block of counts. Under mutex_.
ByteRange Qcow2Writer::allocate(const Context& ctx, std::uint64_t clusters) {
  trimmed_ = false;
  cover(ctx);
  if (next_ % layout_.counts == 0) ++next_;  // the block itself
  const std::uint64_t count = std::min(clusters, layout_.counts - next_ % layout_.counts);
  const ByteRange range{next_ * layout_.cluster_bytes, count * layout_.cluster_bytes};
  next_ += count;
  return range;
}

std::uint64_t Qcow2Writer::table_at(std::uint64_t index) {
  const std::lock_guard lock(mutex_);
  return tables_[index];
}

std::vector<std::uint64_t> Qcow2Writer::places_of(const Context& ctx, const Part& part) {
  std::vector<std::uint64_t> places(part.count);
  const std::uint64_t table = table_at(part.table);
  if (table == 0) return places;
  Bytes bytes(part.count * 8);
  // What lies beyond the file's end was never written.
  read_file_at(ctx, {file_.fd.get(), path_}, table + part.first * 8, bytes);
  for (std::size_t i = 0; i < part.count; ++i) places[i] = number_at(bytes, i * 8) & kOffset;
  return places;
}

// Of those clusters that have none. Their table does not name them yet.
void Qcow2Writer::make_places(const Context& ctx, const Part& part, std::vector<std::uint64_t>& places) {
  const std::lock_guard lock(mutex_);
  std::uint64_t& table = tables_[part.table];
  if (table == 0) {
    table = allocate(ctx, 1).offset;
    put_numbers(ctx, layout_.l1_cluster * layout_.cluster_bytes + part.table * 8, {table | kCopied});
  }
  for (std::size_t i = 0; i < places.size();) {
    const auto missing = static_cast<std::uint64_t>(std::find_if(places.begin() + static_cast<std::ptrdiff_t>(i),
                                                                 places.end(), [](auto at) { return at != 0; }) -
                                                    places.begin()) -
                         i;
    if (missing == 0) {
      ++i;
      continue;
    }
    const ByteRange room = allocate(ctx, missing);
    for (std::uint64_t at = room.offset; at < room.end(); at += layout_.cluster_bytes) places[i++] = at;
  }
}

void Qcow2Writer::write(const Context& ctx, std::uint64_t offset, base::ByteView bytes) {
  check_clusters({offset, bytes.size()});
  for (const Part& part : parts_of(layout_, {offset, bytes.size()})) {
    auto places = places_of(ctx, part);
    const bool all_had_one = std::find(places.begin(), places.end(), 0) == places.end();
    if (!all_had_one) make_places(ctx, part, places);
    for (const Extent& extent : extents_of(layout_, part, places)) {
      const ByteRange wanted = common(extent.range, {offset, bytes.size()});
      put(ctx, extent.at, bytes.subspan(wanted.offset - offset, wanted.length));
    }
    if (all_had_one) continue;
    for (std::uint64_t& place : places) place |= kCopied;
    put_numbers(ctx, table_at(part.table) + part.first * 8, places);
  }
}

// Clusters keep their place.
void Qcow2Writer::write_zeroes(const Context& ctx, ByteRange range) {
  check_clusters(range);
  const Bytes zeroes(layout_.cluster_bytes);
  for (const Part& part : parts_of(layout_, range))
    for (const Extent& extent : extents_of(layout_, part, places_of(ctx, part)))
      for (std::uint64_t at = 0; extent.at != 0 && at < extent.range.length; at += layout_.cluster_bytes)
        put(ctx, extent.at + at, zeroes);
}

void Qcow2Writer::read(const Context& ctx, std::uint64_t offset, base::MutableBytes into) {
  check_within(path_, {offset, into.size()}, size_bytes_);
  std::fill(into.begin(), into.end(), std::byte{});
  for (const Part& part : parts_of(layout_, {offset, into.size()}))
    for (const Extent& extent : extents_of(layout_, part, places_of(ctx, part))) {
      const ByteRange wanted = common(extent.range, {offset, into.size()});
      // The last cluster may end before its end.
      if (extent.at != 0)
        read_file_at(ctx, {file_.fd.get(), path_}, extent.at + (wanted.offset - extent.range.offset),
                     into.subspan(wanted.offset - offset, wanted.length));
    }
}

std::vector<ByteRange> Qcow2Writer::data_ranges(const Context& ctx, ByteRange within) {
  check_within(path_, within, size_bytes_);
  RangeList data;
  for (const Part& part : parts_of(layout_, within)) {
    ctx.check_stop();
    if (table_at(part.table) == 0) continue;
    for (const Extent& extent : extents_of(layout_, part, places_of(ctx, part)))
      if (extent.at != 0) data.add(common(extent.range, within));
  }
  return data.take();
}

std::uint64_t Qcow2Writer::count_block_at(std::uint64_t index) const {
  return (index == 0 ? kFirstCountsCluster : index * layout_.counts) * layout_.cluster_bytes;
}

// The first `used` of a block's clusters have one user each.
void Qcow2Writer::write_counts(const Context& ctx, std::uint64_t block, std::uint64_t used) const {
  BigEndian counts;
  for (std::uint64_t i = 0; i < layout_.counts; ++i) counts.u16(i < used ? 1 : 0);
  put(ctx, count_block_at(block), counts.bytes());
}

// What is free is free again. Under mutex_.
void Qcow2Writer::trim(const Context& ctx) {
  if (trimmed_) return;
  const std::uint64_t block = (next_ - 1) / layout_.counts;
  write_counts(ctx, block, next_ - block * layout_.counts);
  covered_ = block;
  if (::ftruncate(file_.fd.get(), static_cast<off_t>(next_ * layout_.cluster_bytes)) != 0)
    base::throw_errno(path_ + ": cut");
  trimmed_ = true;
}

void Qcow2Writer::flush(const Context& ctx) {
  ctx.check_stop();
  const std::lock_guard lock(mutex_);
  trim(ctx);
  sync();
}

Qcow2Writer::~Qcow2Writer() {
  try {
    trim({});
  } catch (const Error&) {
    // Clusters that nobody uses are harmless.
  }
}

}  // namespace

std::unique_ptr<BlockWriter> create_qcow2_writer(const Context& ctx, const std::string& path, std::uint64_t size_bytes,
                                                 std::uint64_t cluster_bytes) {
  size_bytes = parts(size_bytes, kSectorBytes) * kSectorBytes;
  const Layout layout(size_bytes, cluster_bytes);
  if (layout.l1_entries > kMaxL1Bytes / 8 || layout.counts_table_clusters * cluster_bytes > kMaxCountsTableBytes ||
      layout.first_free > layout.counts)
    throw Error(Code::usage, path + ": no qcow2 image can be that large");
  NewFile made(path);
  DiskFile file = open_disk_file(path, Access::write);
  lock_as_qemu_does(file, path, Access::write);
  auto writer = std::make_unique<Qcow2Writer>(path, std::move(file), size_bytes, cluster_bytes);
  writer->write_header(ctx);
  made.keep();
  return writer;
}

}  // namespace muster::disk
