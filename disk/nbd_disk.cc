#include "disk/nbd_disk.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <string_view>

#include <fmt/format.h>

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
  std::vector<ByteRange> data_ranges(const base::Context& ctx, ByteRange within) override {
    return ranges_of_interest(ctx, NbdContext::allocation, within);
  }
  // Where the server does not tell: all of it.
  std::vector<ByteRange> ranges_of_interest(const base::Context& ctx, NbdContext context, ByteRange within);
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

std::string percent_encoded(const std::string& path) {
  std::string text;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                       c == '/' || c == '-' || c == '.' || c == '_';
    text += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return text;
}

// Takes what one answer tells of the blocks asked for; returns where the next question begins.
std::uint64_t take_answer(const std::vector<NbdExtent>& extents, ByteRange asked, RangeList& ranges) {
  std::uint64_t at = asked.offset;
  for (const auto& extent : extents) {
    const ByteRange told = common({at, extent.length}, asked);
    if (extent.of_interest) ranges.add(told);
    at += told.length;
  }
  if (at > asked.offset) return at;
  ranges.add(asked);
  return asked.end();
}

std::vector<ByteRange> NbdDisk::ranges_of_interest(const base::Context& ctx, NbdContext context, ByteRange within) {
  check(within);
  const ByteRange blocks = blocks_of(within);
  const auto connection = connections_.take(ctx);
  const bool tells = context == NbdContext::allocation ? facts().tells_allocation : facts().tells_changes;
  RangeList ranges;
  std::uint64_t at = blocks.offset;
  for (std::size_t i = 0; tells && at < blocks.end() && i < kMostAnswers; ++i) {
    const ByteRange asked{at, std::min(kAskedBytes, blocks.end() - at)};
    at = take_answer(connection->extents(ctx, context, asked), asked, ranges);
  }
  ranges.add({at, blocks.end() - at});
  RangeList clipped;
  for (const auto& range : ranges.take()) clipped.add(common(range, within));
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

std::unique_ptr<NbdDisk> open(const base::Context& ctx, const std::string& uri, const NbdOptions& options,
                              const std::string& changes_context = {}) {
  if (!is_nbd_uri(uri))
    throw Error(Code::usage,
                uri + " is no URI of an NBD server: write nbd://HOST/EXPORT or nbd+unix:///EXPORT?socket=PATH");
  const NbdTarget target{.uri = uri,
                         .name = options.name.empty() ? uri : options.name,
                         .changes_context = changes_context,
                         .connect_timeout = options.connect_timeout,
                         .request_timeout = options.request_timeout};
  return std::make_unique<NbdDisk>(ctx, target, options);
}

}  // namespace

std::string nbd_unix_uri(const std::string& socket_path, const std::string& export_name) {
  return "nbd+unix:///" + percent_encoded(export_name) + "?socket=" + percent_encoded(socket_path);
}

bool is_nbd_uri(const std::string& text) {
  return std::any_of(kSchemes.begin(), kSchemes.end(), [&](auto scheme) { return text.starts_with(scheme); });
}

std::unique_ptr<BlockReader> open_nbd(const base::Context& ctx, const std::string& uri, const NbdOptions& options) {
  return open(ctx, uri, options);
}

std::vector<ByteRange> changed_ranges(const base::Context& ctx, const std::string& uri, const std::string& context,
                                      const NbdOptions& options) {
  NbdOptions one = options;
  one.connections = 1;  // servers have a limit
  const auto disk = open(ctx, uri, one, context);
  if (!disk->facts().tells_changes)
    throw Error(Code::unsupported, uri + ": its server does not tell what changed (" + context + ")");
  return disk->ranges_of_interest(ctx, NbdContext::changes, {0, disk->size_bytes()});
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
