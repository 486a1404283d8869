// One door to all disks: a file or block device by its path, of either format, or an NBD server by its URI. What is
// returned is thread-safe, and owns what it needs, as a server process.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "disk/block_device.h"
#include "disk/image_file.h"

namespace muster::disk {

// `image`: a path, or a URI as open_nbd() takes them. The format of a path is as image_format_of() has it; a URI has
// none to be told. Throws Error{busy} for an image that another process writes to, as a running machine does;
// Error{refused} for a backing file of which QEMU would guess the format; what open_raw(), image_facts(), ImageServer
// and open_nbd() throw.
std::unique_ptr<BlockReader> open_image(const base::Context& ctx, const std::string& image,
                                        std::optional<ImageFormat> told = std::nullopt);

// A qcow2 image with what a bitmap that it keeps says of it: what changed since that began to record. Throws Error{io}
// where the image has no such bitmap, or it is in use.
struct TrackedImage {
  std::unique_ptr<BlockReader> reader;
  std::vector<ByteRange> changed;
};
TrackedImage open_tracked_image(const base::Context& ctx, const std::string& path, const std::string& bitmap);

// Error{busy} also for an image that another process reads.
std::unique_ptr<BlockWriter> open_image_writer(const base::Context& ctx, const std::string& image,
                                               std::optional<ImageFormat> told = std::nullopt);

// A new image without data, of mode 0600, to be written; qcow2 as create_qcow2_writer() makes it, of whole 512-byte
// sectors: the size is rounded up. Throws Error{refused} for a path that exists, Error{not_found, no_space, io};
// Error{usage} for a size that no file can have.
std::unique_ptr<BlockWriter> create_image(const base::Context& ctx, const std::string& path, ImageFormat format,
                                          std::uint64_t size_bytes);

}  // namespace muster::disk
