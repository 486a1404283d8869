#include "cli/backup_images.h"

#include <algorithm>
#include <filesystem>

#include <sys/stat.h>

#include "disk/nbd_disk.h"

namespace muster::cli {
namespace {

using disk::ImageFormat;

// nullopt for what is no regular file: others do not tell when they changed.
std::optional<std::int64_t> modified_ns(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
  return std::int64_t{facts.st_mtim.tv_sec} * 1'000'000'000 + facts.st_mtim.tv_nsec;
}

// Of the image and all that is below it, the youngest.
std::optional<std::int64_t> chain_modified_ns(const base::Context& ctx, const std::string& path, ImageFormat format) {
  auto youngest = modified_ns(path);
  if (format == ImageFormat::raw || !youngest) return youngest;
  for (const auto& backing : disk::image_facts(ctx, path, format).backing_chain) {
    const auto below = modified_ns(backing.path);
    if (!below) return std::nullopt;
    youngest = std::max(*youngest, *below);
  }
  return youngest;
}

OpenedImage open(const base::Context& ctx, const std::string& image, std::optional<ImageFormat> told) {
  OpenedImage opened;
  if (disk::is_nbd_uri(image)) {
    opened.source.source = image;
    opened.source.format = "nbd";
  } else {
    const ImageFormat format = disk::image_format_of(image, told);
    opened.source.source = std::filesystem::absolute(image).lexically_normal();
    opened.source.format = disk::name_of(format);
    // Before it is read: what changes it meanwhile makes it younger than this.
    opened.source.modified_ns = chain_modified_ns(ctx, image, format);
  }
  opened.reader = disk::open_image(ctx, image, told);
  opened.source.reader = opened.reader.get();
  return opened;
}

}  // namespace

std::vector<OpenedImage> open_images(const base::Context& ctx, const std::vector<std::string>& images,
                                     std::optional<ImageFormat> format) {
  std::vector<OpenedImage> opened;
  for (const auto& image : images) {
    opened.push_back(open(ctx, image, format));
    opened.back().source.disk = std::to_string(opened.size());
  }
  return opened;
}

bool unchanged_since(const std::vector<OpenedImage>& images, const backup::RestorePoint& point) {
  return std::equal(images.begin(), images.end(), point.disks.begin(), point.disks.end(),
                    [](const OpenedImage& image, const backup::DiskPoint& disk) {
                      const auto& source = image.source;
                      return source.modified_ns && source.modified_ns == disk.source_modified_ns &&
                             source.disk == disk.disk && source.source == disk.source && source.format == disk.format &&
                             image.reader->size_bytes() == disk.map.size_bytes;
                    });
}

}  // namespace muster::cli
