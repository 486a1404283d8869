#include "vm/devices.h"

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"
#include "vm/claims.h"
#include "vm/polling.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using virt::Domain;
using virt::DomainXml;
using virt::ImageSource;
using virt::Reach;

// The running machine, the definition, or both.
struct Side {
  Reach reach;
  DomainXml xml;
};

DomainXml xml_of(const Domain& domain, Reach reach) {
  return DomainXml(domain.xml(reach == Reach::now ? Domain::Xml::current : Domain::Xml::definition));
}

std::vector<Side> sides_of(const Domain& domain) {
  std::vector<Side> sides;
  if (domain.active()) sides.push_back({Reach::now, xml_of(domain, Reach::now)});
  if (domain.persistent()) sides.push_back({Reach::next_start, xml_of(domain, Reach::next_start)});
  return sides;
}

void note(DeviceChange& change, Reach reach) {
  change.now = change.now || reach != Reach::next_start;
  change.next_start = change.next_start || reach != Reach::now;
}

ImageSource resolved(const virt::Connection& connection, const std::string& image) {
  if (image.starts_with('/')) {
    if (auto volume = virt::volume_at(connection, image)) return *volume;
    return {.path = image, .block = image.starts_with("/dev/"), .format = image.starts_with("/dev/") ? "raw" : ""};
  }
  const std::size_t slash = image.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == image.size())
    throw Error(Code::usage, "'" + image + "': write the image's whole path on the hypervisor, or POOL/VOLUME");
  return virt::volume_source(connection, image.substr(0, slash), image.substr(slash + 1));
}

// A wrong guess would show the guest an image's header for its first sectors: there is none.
ImageSource with_format(ImageSource source, const std::string& format) {
  if (!format.empty()) source.format = format;
  for (const char* known : {"qcow2", "raw"})
    if (source.format.empty() && source.path.ends_with(std::string(".") + known)) source.format = known;
  if (source.format.empty())
    throw Error(Code::usage, "what format '" + source.path + "' has is not known: add format=qcow2 or format=raw");
  return source;
}

std::string prefix_of(const std::string& bus) {
  if (bus == "virtio") return "vd";
  if (bus == "ide") return "hd";
  return bus == "fdc" ? "fd" : "sd";
}

std::string bus_for(const std::vector<Side>& sides, const DiskToAttach& request) {
  if (!request.bus.empty()) return request.bus;
  for (const auto& disk : sides.front().xml.disks())
    if (disk.device == "disk" && (request.target.empty() || disk.target.substr(0, 2) == request.target.substr(0, 2)))
      return disk.bus;
  if (request.target.starts_with("sd")) return "scsi";
  return request.target.starts_with("hd") ? "ide" : "virtio";
}

bool has_target(const std::vector<Side>& sides, const std::string& target) {
  return std::any_of(sides.begin(), sides.end(), [&](const Side& side) {
    const auto disks = side.xml.disks();
    return std::any_of(disks.begin(), disks.end(), [&](const auto& disk) { return disk.target == target; });
  });
}

std::string free_target(const std::vector<Side>& sides, const std::string& bus) {
  for (char letter = 'a'; letter <= 'z'; ++letter)
    if (std::string target = prefix_of(bus) + letter; !has_target(sides, target)) return target;
  throw Error(Code::refused, "no target from " + prefix_of(bus) + "a to " + prefix_of(bus) + "z is free");
}

void attach(const Domain& domain, const std::vector<Side>& sides, const std::string& element, DeviceChange& change) {
  const Reach reach = sides.size() > 1 ? Reach::both : sides.front().reach;
  virt::attach_device(domain, element, reach);
  for (const auto& side : sides)
    if (!virt::find_device(xml_of(domain, side.reach), change.device))
      throw Error(Code::io, fmt::format("{} was attached to '{}', and is not there", change.device, domain.name()));
  change.changed = true;
  note(change, reach);
}

std::string random_mac() {
  std::random_device random;
  std::uniform_int_distribution<unsigned> byte(0, 255);
  return fmt::format("52:54:00:{:02x}:{:02x}:{:02x}", byte(random), byte(random), byte(random));
}

std::string model_for(const std::vector<Side>& sides, const InterfaceRequest& request) {
  if (!request.model.empty()) return request.model;
  const auto interfaces = sides.front().xml.interfaces();
  return interfaces.empty() || interfaces.front().model.empty() ? "virtio" : interfaces.front().model;
}

// Asks the guest; one that was asked before and has not answered is asked already.
void ask_to_let_go(const Domain& domain, const std::string& element) {
  try {
    virt::detach_device(domain, element, Reach::now);
  } catch (const Error& e) {
    if (std::string_view(e.what()).find("already in the process of unplug") == std::string_view::npos) throw;
  }
}

bool is_drive(const virt::DiskElement& disk) { return disk.device == "cdrom" || disk.device == "floppy"; }

std::string drive_of(const Domain& domain, const std::vector<Side>& sides, const std::string& target) {
  std::vector<std::string> drives;
  for (const auto& side : sides)
    for (const auto& disk : side.xml.disks())
      if (is_drive(disk) && std::find(drives.begin(), drives.end(), disk.target) == drives.end())
        drives.push_back(disk.target);
  if (drives.empty()) throw Error(Code::refused, "'" + domain.name() + "' has no drive for media");
  if (!target.empty() && std::find(drives.begin(), drives.end(), target) != drives.end()) return target;
  if (target.empty() && drives.size() == 1) return drives.front();
  throw Error(Code::usage,
              fmt::format("'{}' has the drives {}: say which with --target", domain.name(), fmt::join(drives, ", ")));
}

std::string medium_in(const DomainXml& xml, const std::string& target) {
  for (const auto& disk : xml.disks())
    if (disk.target == target) return disk.source;
  return "";
}

DeviceChange change_medium(const Domain& domain, const std::string& wanted_target,
                           const std::optional<ImageSource>& source) {
  const auto sides = sides_of(domain);
  DeviceChange change{.device = drive_of(domain, sides, wanted_target)};
  const std::string wanted = source ? source->path : "";
  for (const auto& [reach, xml] : sides) {
    const auto drive = virt::find_device(xml, change.device);
    if (!drive) continue;
    note(change, reach);
    if (medium_in(xml, change.device) == wanted) continue;
    virt::update_device(domain, virt::with_source(*drive, source), reach);
    if (const std::string has = medium_in(xml_of(domain, reach), change.device); has != wanted)
      throw Error(Code::io, fmt::format("{} of '{}' was changed, and has '{}'", change.device, domain.name(), has));
    change.changed = true;
  }
  return change;
}

}  // namespace

DeviceChange attach_disk(const virt::Connection& connection, const Domain& domain, const DiskToAttach& request) {
  auto sides = sides_of(domain);
  const ImageSource source = with_format(resolved(connection, request.image), request.format);
  if (!request.read_only) check_unclaimed(base::Context{}, connection, source.path);
  DeviceChange change{.device = request.target};
  // Where it is already, it stays; the other side gets it under the same name.
  std::erase_if(sides, [&](const Side& side) {
    for (const auto& disk : side.xml.disks()) {
      if (disk.source != source.path) continue;
      if (!request.target.empty() && disk.target != request.target)
        throw Error(Code::refused, fmt::format("'{}' has {} already, as {}", domain.name(), source.path, disk.target));
      change.device = disk.target;
      note(change, side.reach);
      return true;
    }
    return false;
  });
  if (sides.empty()) return change;
  const std::string bus = bus_for(sides, request);
  if (change.device.empty()) change.device = free_target(sides_of(domain), bus);
  if (has_target(sides, change.device))
    throw Error(Code::refused, fmt::format("'{}' has a disk {} already", domain.name(), change.device));
  attach(domain, sides,
         virt::device_xml(
             virt::NewDisk{.source = source, .target = change.device, .bus = bus, .read_only = request.read_only}),
         change);
  return change;
}

DeviceChange attach_interface(const Domain& domain, const InterfaceRequest& request) {
  auto sides = sides_of(domain);
  DeviceChange change{.device = request.mac.empty() ? random_mac() : request.mac};
  std::erase_if(sides, [&](const Side& side) {
    if (!virt::find_device(side.xml, change.device)) return false;
    note(change, side.reach);
    return true;
  });
  if (sides.empty()) return change;
  attach(domain, sides,
         virt::device_xml(virt::NewInterface{
             .kind = request.kind, .source = request.source, .mac = change.device, .model = model_for(sides, request)}),
         change);
  return change;
}

DeviceChange detach(const base::Context& ctx, const Domain& domain, const std::string& target_or_mac,
                    std::chrono::milliseconds patience) {
  DeviceChange change{.device = target_or_mac};
  const auto sides = sides_of(domain);
  bool asked = false;
  // The running machine comes first: what it refuses outright changes nothing.
  for (const auto& [reach, xml] : sides) {
    const auto element = virt::find_device(xml, target_or_mac);
    if (!element) continue;
    if (reach == Reach::now)
      ask_to_let_go(domain, *element), asked = true;
    else
      virt::detach_device(domain, *element, reach);
    note(change, reach);
    change.changed = true;
  }
  if (!change.changed)
    throw Error(Code::not_found, fmt::format("'{}' has no disk and no interface '{}'", domain.name(), target_or_mac));
  const auto gone = [&] { return !domain.active() || !virt::find_device(xml_of(domain, Reach::now), target_or_mac); };
  if (asked && !wait_until(ctx, base::Clock::now() + patience, gone))
    throw Error(Code::timeout,
                fmt::format("'{}' still has {} after {}: its guest does not let go of it. Unmount it in there and run "
                            "this again, or stop and start the machine: its definition has it no more",
                            domain.name(), target_or_mac, base::format_duration(patience)));
  return change;
}

DeviceChange insert_medium(const virt::Connection& connection, const Domain& domain, const std::string& image,
                           const std::string& target) {
  ImageSource source = resolved(connection, image);
  if (source.format.empty()) source.format = "raw";
  return change_medium(domain, target, source);
}

DeviceChange eject_medium(const Domain& domain, const std::string& target) {
  return change_medium(domain, target, std::nullopt);
}

}  // namespace muster::vm
