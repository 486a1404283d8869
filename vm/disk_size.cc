#include "vm/disk_size.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

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

// By its pool, which may be another host's.
SizeChange grow_volume(const virt::Volume& volume, const std::string& image, const virt::DiskElement& disk,
                       const DiskSizeRequest& request) {
  const auto facts = virt::facts(volume);
  // libvirt goes by what the file begins with, which a guest can write.
  if (!disk.format.empty() && facts.format != disk.format)
    throw Error(Code::refused, fmt::format("{} is {} by the machine's definition, and begins as {}: it is left alone",
                                           image, disk.format, facts.format));
  const SizeChange change =
      growth(image, facts.capacity_bytes, request, "it is shrunk where its file is seen, on the hypervisor itself");
  if (request.only_plan || !change.changes()) return change;
  virt::grow(volume, change.to_bytes);
  check_grew(image, virt::facts(volume).capacity_bytes, change.to_bytes);
  return change;
}

SizeChange resize_file(const base::Context& ctx, const std::string& image, const virt::DiskElement& disk,
                       const DiskSizeRequest& request) {
  const auto format = disk::image_format_named(disk.format);
  if (!format)
    throw Error(Code::unsupported, fmt::format("{} is no raw or qcow2 image by the machine's definition", image));
  const SizeChange change = disk::plan_size(ctx, image, *format, request.wish, request.may_shrink);
  if (!request.only_plan && change.changes()) disk::change_size(ctx, image, *format, change);
  return change;
}

SizeChange resize_off(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                      const std::string& image, const virt::DiskElement& disk, const DiskSizeRequest& request) {
  if (domain.state() == virt::State::saved)
    throw Error(Code::refused, fmt::format("'{}' has a saved memory, which knows its disks as they are: start it, or "
                                           "let go of that first",
                                           domain.name()));
  const auto volume = virt::volume_of_path(connection, image);
  const bool file_of_this_host = image.starts_with('/') && virt::is_seen_here(connection, image);
  if (volume && (!request.may_shrink || !file_of_this_host)) return grow_volume(*volume, image, disk, request);
  if (!file_of_this_host)
    throw Error(Code::unsupported,
                fmt::format("{} is in no active pool of {} and no file of this host", image, connection.uri()));
  return resize_file(ctx, image, disk, request);
}

}  // namespace

DiskSizeChange resize_disk(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                           const DiskSizeRequest& request) {
  const virt::DiskElement disk = own_disk(domain, request.target);
  std::string image = virt::image_path(connection, disk);
  check_unclaimed(ctx, connection, image);
  const bool running = domain.active();
  const SizeChange size =
      running ? resize_running(domain, image, request) : resize_off(ctx, connection, domain, image, disk, request);
  return {.image = std::move(image), .bus = disk.bus, .size = size, .running = running};
}

}  // namespace muster::vm
