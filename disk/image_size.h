// The size of an image, which is the size of the disk that a guest sees. What is inside is not touched: partitions and
// file systems stay as they are, and nothing is cut off but what is known to be empty. Any thread; blocks on the file
// system.
#pragma once

#include <cstdint>
#include <string>

#include "base/context.h"
#include "disk/image_file.h"
#include "disk/size_wish.h"

namespace muster::disk {

struct SizeChange {
  std::uint64_t from_bytes = 0, to_bytes = 0;
  bool shrinks() const { return to_bytes < from_bytes; }
  bool changes() const { return to_bytes != from_bytes; }
  bool operator==(const SizeChange&) const = default;
};

// What change_size() would do to an image of this host, after all that may refuse it was asked: blocks as long as it
// takes to read what would be cut off. Throws Error{refused} for one with a claim beside it, for less without
// `may_shrink`, or where data beyond the new end, a snapshot inside or a larger image below speaks against it;
// Error{unsupported} for a block device and for data in a file of their own, Error{busy} for an image in use,
// Error{usage} as wished_size(), and what image_facts() and open_image_writer() throw.
SizeChange plan_size(const base::Context& ctx, const std::string& path, ImageFormat format, const SizeWish& wish,
                     bool may_shrink);

// Of an image that nobody has open. Once begun it is not stopped: QEMU's tables would not be whole. Before it shrinks,
// bitmaps in it go: what they record beyond the new end would be lost, and missing once the image is grown again, so
// that whoever follows them has to read it whole. Throws Error{busy, no_space, io, unsupported, cancelled}.
void change_size(const base::Context& ctx, const std::string& path, ImageFormat format, const SizeChange& change);

}  // namespace muster::disk
