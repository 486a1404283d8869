#include "disk/nbd_disk.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <string_view>

#include "base/error.h"
#include "disk/byte_ranges.h"
#include "disk/nbd_connections.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;

constexpr std::array<std::string_view, 4> kSchemes{"nbd://", "nbds://", "nbd+unix://", "nbds+unix://"};

// The protocol has 32 bits for it; servers look at so much in a moment.
constexpr std::uint64_t kAskedBytes = 1ULL << 30;
// A server that tells of a few bytes at a time is asked no more often; the rest counts as data.
constexpr std::size_t kMostAnswers = 1U << 20;
constexpr std::uint64_t kZeroPieceBytes = 1U << 20;

class NbdDisk : public BlockWriter {
 public:
  NbdDisk(const base::Context& ctx, const NbdTarget& target, const NbdOptions& options)
      : needs_(options.needs), connections_(ctx, target, options.connections) {}

  const NbdFacts& facts() const { return connections_.facts(); }

  std::uint64_t size_bytes() const override { return facts().size_bytes; }
  std::vector<ByteRange> data_ranges(const base::Context& ctx, ByteRange within) override;
  void read(const base::Context& ctx, std::uint64_t offset, base::MutableBytes into) override;
  void write(const base::Context& ctx, std::uint64_t offset, base::ByteView bytes) override;
  void write_zeroes(const base::Context& ctx, ByteRange range) override;
  void flush(const base::Context& ctx) override;

 private:
  ByteRange blocks_of(ByteRange range) const { return touched_blocks(range, facts().block_bytes); }
  void check(ByteRange range) const { check_within(connections_.name(), range, size_bytes()); }
  void write_parts_of_blocks(const base::Context& ctx, std::uint64_t offset, base::ByteView bytes);
  void write_zero_bytes(const base::Context& ctx, ByteRange range);

  const std::shared_ptr<const void> needs_;
  NbdConnections connections_;
  std::mutex parts_;  // one at a time reads a block, changes a part of it and writes it
};

// Takes what one answer tells of the blocks asked for; returns where the next question begins.
std::uint64_t take_answer(const std::vector<NbdExtent>& extents, ByteRange asked, RangeList& data) {
  std::uint64_t at = asked.offset;
  for (const auto& extent : extents) {
    const ByteRange told = common({at, extent.length}, asked);
    if (!extent.reads_as_zeroes) data.add(told);
    at += told.length;
  }
  if (at > asked.offset) return at;
  data.add(asked);
  return asked.end();
}

std::vector<ByteRange> NbdDisk::data_ranges(const base::Context& ctx, ByteRange within) {
  check(within);
  const ByteRange blocks = blocks_of(within);
  const auto connection = connections_.take(ctx);
  RangeList data;
  std::uint64_t at = blocks.offset;
  for (std::size_t i = 0; facts().tells_allocation && at < blocks.end() && i < kMostAnswers; ++i) {
    const ByteRange asked{at, std::min(kAskedBytes, blocks.end() - at)};
    at = take_answer(connection->allocation(ctx, asked), asked, data);
  }
  data.add({at, blocks.end() - at});
  RangeList clipped;
  for (const auto& range : data.take()) clipped.add(common(range, within));
  return clipped.take();
}

void NbdDisk::read(const base::Context& ctx, std::uint64_t offset, base::MutableBytes into) {
  const ByteRange wanted{offset, into.size()}, blocks = blocks_of(wanted);
  check(wanted);
  const auto connection = connections_.take(ctx);
  if (blocks == wanted) return connection->read(ctx, offset, into);
  base::Bytes whole(blocks.length);
  connection->read(ctx, blocks.offset, whole);
  std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(offset - blocks.offset), into.size(), into.begin());
}

void NbdDisk::write(const base::Context& ctx, std::uint64_t offset, base::ByteView bytes) {
  const ByteRange wanted{offset, bytes.size()};
  check(wanted);
  if (blocks_of(wanted) != wanted) return write_parts_of_blocks(ctx, offset, bytes);
  connections_.take(ctx)->write(ctx, offset, bytes);
}

void NbdDisk::write_parts_of_blocks(const base::Context& ctx, std::uint64_t offset, base::ByteView bytes) {
  const ByteRange blocks = blocks_of({offset, bytes.size()});
  const std::lock_guard lock(parts_);
  const auto connection = connections_.take(ctx);
  base::Bytes whole(blocks.length);
  connection->read(ctx, blocks.offset, whole);
  std::copy(bytes.begin(), bytes.end(), whole.begin() + static_cast<std::ptrdiff_t>(offset - blocks.offset));
  connection->write(ctx, blocks.offset, whole);
}

void NbdDisk::write_zeroes(const base::Context& ctx, ByteRange range) {
  check(range);
  const ByteRange whole = facts().can_zero ? covered_blocks(range, facts().block_bytes) : ByteRange{range.offset, 0};
  connections_.take(ctx)->write_zeroes(ctx, whole);
  for (const ByteRange edge : edges(range, whole)) write_zero_bytes(ctx, edge);
}

void NbdDisk::write_zero_bytes(const base::Context& ctx, ByteRange range) {
  static const base::Bytes zeroes(kZeroPieceBytes);
  while (range.length > 0) {
    const auto piece = base::ByteView(zeroes).first(std::min(range.length, kZeroPieceBytes));
    write(ctx, range.offset, piece);
    range = {range.offset + piece.size(), range.length - piece.size()};
  }
}

void NbdDisk::flush(const base::Context& ctx) {
  if (facts().can_flush) connections_.take(ctx)->flush(ctx);
}

std::unique_ptr<NbdDisk> open(const base::Context& ctx, const std::string& uri, const NbdOptions& options) {
  if (!is_nbd_uri(uri))
    throw Error(Code::usage,
                uri + " is no URI of an NBD server: write nbd://HOST/EXPORT or nbd+unix:///EXPORT?socket=PATH");
  const NbdTarget target{.uri = uri,
                         .name = options.name.empty() ? uri : options.name,
                         .connect_timeout = options.connect_timeout,
                         .request_timeout = options.request_timeout};
  return std::make_unique<NbdDisk>(ctx, target, options);
}

}  // namespace

bool is_nbd_uri(const std::string& text) {
  return std::any_of(kSchemes.begin(), kSchemes.end(), [&](auto scheme) { return text.starts_with(scheme); });
}

std::unique_ptr<BlockReader> open_nbd(const base::Context& ctx, const std::string& uri, const NbdOptions& options) {
  return open(ctx, uri, options);
}

std::unique_ptr<BlockWriter> open_nbd_writer(const base::Context& ctx, const std::string& uri,
                                             const NbdOptions& options) {
  auto disk = open(ctx, uri, options);
  const std::string& name = options.name.empty() ? uri : options.name;
  if (disk->facts().read_only) throw Error(Code::unsupported, name + " is read-only");
  if (!disk->facts().can_flush) ctx.warn(name + ": its server cannot be told to make durable what is written");
  return disk;
}

}  // namespace muster::disk
