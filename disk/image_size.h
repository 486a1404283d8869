// The size of an image, which is the size of the disk that a guest sees. What is inside is not touched: partitions and
// file systems stay as they are, and nothing is cut off but what is known to be empty. Any thread; blocks on the file
// system.
#pragma once

#include <cstdint>
#include <string>

#include "base/context.h"
#include "disk/block_device.h"
#include "disk/image_file.h"
#include "disk/size_wish.h"

namespace muster::disk {

struct SizeChange {
  std::uint64_t from_bytes = 0, to_bytes = 0;
  bool shrinks() const { return to_bytes < from_bytes; }
  bool changes() const { return to_bytes != from_bytes; }
  bool operator==(const SizeChange&) const = default;
};

// Of the image that `facts` are of, named `path` in errors. Throws Error{refused} for less without `may_shrink`, or
// where a snapshot inside the image, or what an image below it has beyond the new end, speaks against it;
// Error{unsupported} for an image whose data are in a file of their own; Error{usage} as wished_size().
SizeChange planned_change(const std::string& path, const ImageFacts& facts, const SizeWish& wish, bool may_shrink);

// Throws Error{refused} where `disk`, named `name`, holds anything but zeroes from `offset` on, as the second table of
// a GPT is, which lies at the end; blocks as long as it takes to read the data there. What the reader throws.
void check_empty_from(const base::Context& ctx, const std::string& name, BlockReader& disk, std::uint64_t offset);

// What change_size() would do to an image of this host, after all that may refuse it was asked, the claim beside it,
// too. Throws the same, Error{unsupported} for a block device, Error{busy} for an image in use.
SizeChange plan_size(const base::Context& ctx, const std::string& path, ImageFormat format, const SizeWish& wish,
                     bool may_shrink);

// Of an image that nobody has open. Once begun it is not stopped: QEMU's tables would not be whole. Before it shrinks,
// bitmaps in it go: what they record beyond the new end would be lost, and missing once the image is grown again, so
// that whoever follows them has to read it whole. Throws Error{busy, no_space, io, unsupported, cancelled}.
void change_size(const base::Context& ctx, const std::string& path, ImageFormat format, const SizeChange& change);

}  // namespace muster::disk
