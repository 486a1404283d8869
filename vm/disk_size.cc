#include "vm/disk_size.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "virt/block_size.h"
#include "virt/domain_xml.h"
#include "virt/image_files.h"
#include "virt/statistics.h"
#include "virt/storage.h"
#include "vm/claims.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using disk::SizeChange;

virt::DiskElement own_disk(const virt::Domain& domain, const std::string& target) {
  const auto disks = virt::DomainXml(domain.xml(virt::Domain::Xml::current)).disks();
  const auto found = std::find_if(disks.begin(), disks.end(), [&](const auto& disk) { return disk.target == target; });
  if (found == disks.end()) {
    std::string has;
    for (const auto& disk : disks) has += (has.empty() ? "" : ", ") + disk.target;
    throw Error(Code::usage, fmt::format("'{}' has no disk {}: it has {}", domain.name(), target,
                                         has.empty() ? "none at all" : has));
  }
  if (found->device != "disk" || found->read_only || found->shareable)
    throw Error(Code::refused,
                fmt::format("{} of '{}' is {}, and not the machine's own to change", target, domain.name(),
                            found->device != "disk" ? "a " + found->device
                            : found->read_only      ? "read-only"
                                                    : "shared between machines"));
  return *found;
}

std::uint64_t size_of_running(const virt::Domain& domain, const std::string& target) {
  const auto size = virt::disk_sizes(domain, target).capacity_bytes;
  if (!size)
    throw Error(Code::unsupported,
                fmt::format("the driver does not tell the size of {} of '{}'", target, domain.name()));
  return *size;
}

void check_grew(const std::string& image, std::uint64_t has, std::uint64_t wanted) {
  if (has < wanted)
    throw Error(Code::io, fmt::format("{} has {} bytes, and not {}, after it was grown", image, has, wanted));
}

// What it is to be, where less is refused. Both of the two kinds below come here.
SizeChange growth(const std::string& image, std::uint64_t has, const DiskSizeRequest& request, const char* advice) {
  const SizeChange change{.from_bytes = has, .to_bytes = disk::wished_size(request.wish, has)};
  if (change.shrinks())
    throw Error(Code::refused,
                fmt::format("{} has {} bytes, more than {}: {}", image, change.from_bytes, change.to_bytes, advice));
  return change;
}

SizeChange resize_running(const virt::Domain& domain, const std::string& image, const DiskSizeRequest& request) {
  const SizeChange change = growth(image, size_of_running(domain, request.target), request,
                                   "its guest runs, and a disk is shrunk once it is off");
  if (request.only_plan || !change.changes()) return change;
  virt::grow_running(domain, request.target, change.to_bytes);
  check_grew(image, size_of_running(domain, request.target), change.to_bytes);
  return change;
}

// By its pool, which may be another host's. What else is known of the image only its host tells.
SizeChange grow_volume(const virt::Connection& connection, const virt::Volume& volume, const std::string& image,
                       const virt::DiskElement& disk, const DiskSizeRequest& request) {
  const auto facts = virt::facts(volume);
  // Of files libvirt goes by what they begin with, which a guest can write.
  const bool is_file = virt::facts(virt::known_pool(connection, volume.pool())).holds_files();
  if (is_file && !disk.format.empty() && facts.format != disk.format)
    throw Error(Code::refused, fmt::format("{} is {} by the machine's definition, and begins as {}: it is left alone",
                                           image, disk.format, facts.format));
  const SizeChange change =
      growth(image, facts.capacity_bytes, request, "it is shrunk by who may write to its file, on its own host");
  if (request.only_plan || !change.changes()) return change;
  virt::grow(volume, change.to_bytes);
  check_grew(image, virt::facts(volume).capacity_bytes, change.to_bytes);
  return change;
}

// As its pool knows it, or would if it looked again.
std::optional<virt::Volume> volume_of(const virt::Connection& connection, const std::string& image) {
  if (auto known = virt::volume_of_path(connection, image)) return known;
  const auto pool = virt::pool_of_directory(connection, virt::directory_of(image));
  return pool ? pool->find(virt::file_name_of(image)) : std::nullopt;
}

// One that this process may write to, so that it is locked, and looked at, as QEMU does.
bool is_file_of_this_process(const virt::Connection& connection, const std::string& image) {
  struct stat seen {};
  return connection.is_of_this_host() && ::stat(image.c_str(), &seen) == 0 && S_ISREG(seen.st_mode) &&
         ::access(image.c_str(), W_OK) == 0;
}

SizeChange resize_off(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                      const std::string& image, const virt::DiskElement& disk, const DiskSizeRequest& request) {
  if (domain.state() == virt::State::saved)
    throw Error(Code::refused, fmt::format("'{}' has a saved memory, which knows its disks as they are: start it, or "
                                           "let go of that first",
                                           domain.name()));
  const auto format = disk::image_format_named(disk.format);
  if (format && image.starts_with('/') && is_file_of_this_process(connection, image)) {
    const SizeChange change = disk::plan_size(ctx, image, *format, request.wish, request.may_shrink);
    if (!request.only_plan && change.changes()) disk::change_size(ctx, image, *format, change);
    return change;
  }
  if (!image.starts_with('/'))
    throw Error(Code::unsupported, fmt::format("{} of '{}' is storage without a path: its size is changed where it is",
                                               request.target, domain.name()));
  if (const auto volume = volume_of(connection, image)) return grow_volume(connection, *volume, image, disk, request);
  throw Error(Code::unsupported, fmt::format("{} is in no active pool of {}, and no image file that can be written to "
                                             "from here",
                                             image, connection.uri()));
}

}  // namespace

DiskSizeChange resize_disk(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                           const DiskSizeRequest& request) {
  const virt::DiskElement disk = own_disk(domain, request.target);
  std::string image = virt::image_path(connection, disk);
  if (image.empty()) image = disk.source;
  check_unclaimed(ctx, connection, image);
  const bool running = domain.active();
  const SizeChange size =
      running ? resize_running(domain, image, request) : resize_off(ctx, connection, domain, image, disk, request);
  return {.image = std::move(image), .bus = disk.bus, .size = size, .running = running};
}

}  // namespace muster::vm
