#include "disk/image_size.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "disk/disk_file.h"
#include "disk/image_claim.h"
#include "disk/open_image.h"
#include "disk/qemu_program.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kLookBytes = 1U << 20;
// Only what hangs takes so long: QEMU writes some tables.
constexpr std::chrono::hours kChangePatience{1};

// UEFI 2.10, 5.3.2: the header of a GPT begins with it; the second one is the disk's last sector.
constexpr std::string_view kGptSignature = "EFI PART";

bool ends_in_gpt(const base::Context& ctx, BlockReader& disk) {
  for (const std::uint64_t sector : {512U, 4096U}) {
    if (disk.size_bytes() < sector) continue;
    std::array<std::byte, kGptSignature.size()> first{};
    disk.read(ctx, disk.size_bytes() - sector, first);
    if (std::equal(first.begin(), first.end(), kGptSignature.begin(),
                   [](std::byte have, char wanted) { return have == static_cast<std::byte>(wanted); }))
      return true;
  }
  return false;
}

// The first byte within `range` that is not zero; its end where there is none.
std::uint64_t first_data(const base::Context& ctx, BlockReader& disk, ByteRange range) {
  std::vector<std::byte> piece(kLookBytes);
  for (std::uint64_t at = range.offset; at < range.end();) {
    ctx.check_stop();
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(kLookBytes, range.end() - at));
    const base::MutableBytes bytes(piece.data(), length);
    disk.read(ctx, at, bytes);
    const auto found = std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; });
    if (found != bytes.end()) return at + static_cast<std::uint64_t>(found - bytes.begin());
    at += length;
  }
  return range.end();
}

SizeChange planned_change(const std::string& path, const ImageFacts& facts, const SizeWish& wish, bool may_shrink) {
  const SizeChange change{.from_bytes = facts.virtual_size_bytes,
                          .to_bytes = wished_size(wish, facts.virtual_size_bytes)};
  if (facts.data_apart)
    throw Error(Code::unsupported, path + " keeps its data in a file of their own, whose size is not changed here");
  if (!change.shrinks()) return change;
  if (!may_shrink)
    throw Error(Code::refused, fmt::format("{} has {} bytes already, more than {}: what is beyond them would be lost; "
                                           "--shrink cuts it off where it is empty",
                                           path, change.from_bytes, change.to_bytes));
  if (facts.snapshots > 0)
    throw Error(Code::refused, path + " has snapshots inside, which may need what is cut off: delete them first");
  // QEMU before 5.1 showed what is below once the image is grown again.
  if (facts.largest_below_bytes > change.to_bytes)
    throw Error(Code::refused, fmt::format("{} is built on an image of {} bytes, which would show through once it is "
                                           "grown again: flatten it first",
                                           path, facts.largest_below_bytes));
  return change;
}

void check_empty_from(const base::Context& ctx, const std::string& name, BlockReader& disk, std::uint64_t offset) {
  if (offset >= disk.size_bytes()) return;
  for (const auto& range : disk.data_ranges(ctx, {offset, disk.size_bytes() - offset})) {
    const std::uint64_t found = first_data(ctx, disk, range);
    if (found == range.end()) continue;
    const std::string advice = ends_in_gpt(ctx, disk)
                                   ? "its partition table is a GPT, which has a second table at the very end: shrink "
                                     "what is in the partitions, then them, and move that table first"
                                   : "shrink what is inside first: file systems, then partitions";
    throw Error(Code::refused, fmt::format("{} holds data at byte {}, beyond {}: {}", name, found, offset, advice));
  }
}

}  // namespace

SizeChange plan_size(const base::Context& ctx, const std::string& path, ImageFormat format, const SizeWish& wish,
                     bool may_shrink) {
  if (open_disk_file(path, Access::read).kind == FileKind::block_device)
    throw Error(Code::unsupported, path +
                                       " is a block device, as large as what it is made of: change that, as with "
                                       "lvextend");
  check_unclaimed(path);
  const ImageFacts facts = image_facts(ctx, path, format);
  check_backing_formats(path, facts);
  const SizeChange change = planned_change(path, facts, wish, may_shrink);
  if (!change.changes()) return change;
  // Nobody may have it open: opened to be written, it is locked against all others.
  const auto image = open_image_writer(ctx, path, format);
  if (change.shrinks()) check_empty_from(ctx, path, *image, change.to_bytes);
  return change;
}

void change_size(const base::Context& ctx, const std::string& path, ImageFormat format, const SizeChange& change) {
  ctx.check_stop();
  const base::Context to_the_end{.stop = {}, .events = ctx.events};
  std::vector<std::string> argv{"qemu-img", "resize", "-q", "-f", name_of(format)};
  if (change.shrinks()) {
    argv.emplace_back("--shrink");
    for (const auto& bitmap : image_facts(to_the_end, path, format).bitmaps) drop_bitmap(to_the_end, path, bitmap.name);
  }
  argv.insert(argv.end(), {path_for_qemu(path), std::to_string(change.to_bytes)});
  run_qemu_program(to_the_end, "change the size of " + path, argv, {.patience = kChangePatience});
}

}  // namespace muster::disk
