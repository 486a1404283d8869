#include "cli/backup_images.h"

#include <algorithm>
#include <filesystem>

#include <sys/stat.h>

#include "disk/nbd_disk.h"

namespace muster::cli {
namespace {

using disk::ImageFormat;

struct Times {
  std::int64_t modified_ns = 0, changed_ns = 0;
};

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

// nullopt for what is no regular file: others do not tell when they changed.
std::optional<Times> times_of(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
  return Times{.modified_ns = nanoseconds(facts.st_mtim), .changed_ns = nanoseconds(facts.st_ctim)};
}

// Of the image and all that is below it, the youngest.
std::optional<Times> chain_times(const base::Context& ctx, const std::string& path, ImageFormat format) {
  auto youngest = times_of(path);
  if (format == ImageFormat::raw || !youngest) return youngest;
  const auto facts = disk::image_facts(ctx, path, format);
  if (facts.data_apart) return std::nullopt;
  for (const auto& backing : facts.backing_chain) {
    const auto below = times_of(backing.path);
    if (!below) return std::nullopt;
    youngest->modified_ns = std::max(youngest->modified_ns, below->modified_ns);
    youngest->changed_ns = std::max(youngest->changed_ns, below->changed_ns);
  }
  return youngest;
}

}  // namespace

OpenedImage open_image_of(const base::Context& ctx, const std::string& image, std::optional<ImageFormat> told) {
  OpenedImage opened;
  if (disk::is_nbd_uri(image)) {
    opened.source.source = image;
    opened.source.format = "nbd";
  } else {
    const ImageFormat format = disk::image_format_of(image, told);
    opened.source.source = std::filesystem::absolute(image).lexically_normal();
    opened.source.format = disk::name_of(format);
    // Before it is read: what changes it meanwhile makes it younger than this.
    if (const auto times = chain_times(ctx, image, format)) {
      opened.source.modified_ns = times->modified_ns;
      opened.source.changed_ns = times->changed_ns;
    }
  }
  opened.reader = disk::open_image(ctx, image, told);
  opened.source.reader = opened.reader.get();
  return opened;
}

std::vector<OpenedImage> open_images(const base::Context& ctx, const std::vector<std::string>& images,
                                     std::optional<ImageFormat> format) {
  std::vector<OpenedImage> opened;
  for (const auto& image : images) {
    opened.push_back(open_image_of(ctx, image, format));
    opened.back().source.disk = std::to_string(opened.size());
  }
  return opened;
}

bool is_unchanged(const OpenedImage& image, const backup::DiskPoint& disk) {
  const auto& source = image.source;
  return source.modified_ns && source.modified_ns == disk.source_modified_ns && source.disk == disk.disk &&
         source.source == disk.source && source.format == disk.format &&
         image.reader->size_bytes() == disk.map.size_bytes;
}

bool unchanged_since(const std::vector<OpenedImage>& images, const backup::RestorePoint& point) {
  return std::equal(images.begin(), images.end(), point.disks.begin(), point.disks.end(), is_unchanged);
}

}  // namespace muster::cli
