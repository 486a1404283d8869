// The images that a restore point is to be made of, found and opened. Blocks on files and servers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backup/create.h"
#include "backup/restore_point.h"
#include "base/context.h"
#include "disk/image_file.h"
#include "disk/open_image.h"

namespace muster::cli {

// `source.reader` is `reader`: the image stays open, and locked, as long as this lives.
struct OpenedImage {
  std::unique_ptr<disk::BlockReader> reader;
  backup::DiskSource source;
};

// One, of a path or NBD URI; its disk has no name yet. Throws what disk::open_image() throws.
OpenedImage open_image_of(const base::Context& ctx, const std::string& image, std::optional<disk::ImageFormat> told);

// Disks 1, 2, ... in the order of `images`. Throws what disk::open_image() throws.
std::vector<OpenedImage> open_images(const base::Context& ctx, const std::vector<std::string>& images,
                                     std::optional<disk::ImageFormat> format);

// Whether the image is, by place, format, size and time of its last change, what `disk` was made of. One of which the
// time is not known never is.
bool is_unchanged(const OpenedImage& image, const backup::DiskPoint& disk);

// Whether all images, by place, format, size and time of their last change, are those that `point` was made of. An
// image of which the time is not known never is.
bool unchanged_since(const std::vector<OpenedImage>& images, const backup::RestorePoint& point);

}  // namespace muster::cli
