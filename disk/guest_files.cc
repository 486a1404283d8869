#include "disk/guest_files.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "disk/guest_ext.h"
#include "disk/guest_fish.h"
#include "disk/guest_image.h"
#include "disk/guest_volumes.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Context;
using base::Error;
using Volumes = std::vector<GuestVolume>;

bool is_ext(const GuestVolume& volume) { return volume.type.starts_with("ext"); }

std::string all_of(const GuestImage& image, const Volumes& volumes) {
  std::string text;
  for (const auto& volume : volumes) text += (text.empty() ? "" : ", ") + describe(image, volume);
  return text.empty() ? "nothing that is known" : text;
}

// Only where that costs little. A file system that is damaged is not the one.
bool has_fstab(const Context& ctx, const GuestImage& image, const GuestVolume& volume) {
  if (!is_ext(volume)) return false;
  try {
    return ExtFiles(image, volume.range, name_of(image, volume)).is_file(ctx, "/etc/fstab");
  } catch (const Error& e) {
    if (e.code() == Code::cancelled || e.code() == Code::unsupported) throw;
    return false;
  }
}

const GuestVolume& numbered(const GuestImage& image, const Volumes& volumes, unsigned number) {
  const auto found =
      std::find_if(volumes.begin(), volumes.end(), [&](const GuestVolume& v) { return v.number == number; });
  if (found == volumes.end())
    throw Error(Code::usage, fmt::format("{}.{}", image.name(), number) + ": no such partition; there are " +
                                 all_of(image, volumes));
  if (!found->has_files)
    throw Error(Code::unsupported, describe(image, *found) + ": holds no file system that can be looked into");
  return *found;
}

// The one of `chosen`, or where there is no other reason the only largest.
const GuestVolume& only_one(const GuestImage& image, const Volumes& volumes,
                            const std::vector<const GuestVolume*>& chosen) {
  if (chosen.size() == 1) return *chosen.front();
  throw Error(Code::usage, image.name() + ": name one of its file systems, as " + name_of(image, *chosen.front()) +
                               ": there are " + all_of(image, volumes));
}

std::vector<const GuestVolume*> largest(const std::vector<const GuestVolume*>& volumes) {
  std::uint64_t most = 0;
  for (const auto* volume : volumes) most = std::max(most, volume->range.length);
  std::vector<const GuestVolume*> found;
  for (const auto* volume : volumes)
    if (volume->range.length == most) found.push_back(volume);
  return found;
}

const GuestVolume& choose(const Context& ctx, const GuestImage& image, const Volumes& volumes) {
  std::vector<const GuestVolume*> with_files, with_fstab;
  for (const auto& volume : volumes)
    if (volume.has_files) with_files.push_back(&volume);
  if (with_files.empty())
    throw Error(Code::unsupported,
                image.name() + ": holds no file system that can be looked into, but " + all_of(image, volumes));
  if (with_files.size() == 1) return *with_files.front();
  for (const auto* volume : with_files)
    if (has_fstab(ctx, image, *volume)) with_fstab.push_back(volume);
  return only_one(image, volumes, with_fstab.empty() ? largest(with_files) : with_fstab);
}

std::unique_ptr<GuestFileSystem> open_volume(const Context& ctx, const GuestImage& image, const GuestVolume& volume) {
  const std::string name = name_of(image, volume);
  if (!is_ext(volume)) return std::make_unique<FishFiles>(image, volume, name);
  auto files = std::make_unique<ExtFiles>(image, volume.range, name);
  if (files->needs_recovery())
    ctx.warn(name +
             ": was in use when it was backed up; its journal is left alone, and what was written last may be "
             "missing");
  return files;
}

template <typename Use>
auto with_files_of(const Context& ctx, const GuestDisk& disk, const Use& use) {
  const GuestImage image(ctx, disk.uri, disk.name, disk.temporary_directory);
  const auto volumes = find_guest_volumes(ctx, image);
  const auto& volume = disk.partition ? numbered(image, volumes, *disk.partition) : choose(ctx, image, volumes);
  return use(*open_volume(ctx, image, volume));
}

}  // namespace

std::vector<GuestEntry> list_directory(const Context& ctx, const GuestDisk& disk, const std::string& path) {
  check_guest_path(disk.name, path);
  return with_files_of(ctx, disk, [&](GuestFileSystem& files) { return files.list(ctx, path); });
}

void read_file(const Context& ctx, const GuestDisk& disk, const std::string& path, const GuestSink& sink) {
  check_guest_path(disk.name, path);
  with_files_of(ctx, disk, [&](GuestFileSystem& files) { files.read(ctx, path, sink); });
}

}  // namespace muster::disk
