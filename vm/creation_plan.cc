#include "vm/creation_plan.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/quantity.h"
#include "virt/domain_xml.h"
#include "virt/firmware_files.h"
#include "vm/images.h"
#include "vm/own_seed.h"
#include "vm/seed.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using virt::Preallocation;

class Planner {
 public:
  Planner(const virt::Connection& connection, const MachineRequest& request, const std::vector<virt::VolumeName>& left)
      : connection_(connection), left_(left) {
    plan_.request = request;
    plan_.uuid = fresh_uuid();
  }

  CreationPlan plan(const base::Context& ctx) {
    check(plan_.request);
    if (plan_.request.seed && plan_.request.seed->host_name.empty()) plan_.request.seed->host_name = plan_.request.name;
    check_name();
    choose_kind();
    choose_networks();
    choose_pools();
    for (const auto& disk : plan_.request.disks) {
      ctx.check_stop();
      add_disk(disk);
    }
    add_medium();
    add_seed();
    check_room();
    return std::move(plan_);
  }

 private:
  void check_name() {
    const auto there = connection_.find_domain(plan_.request.name);
    if (!there || virt::creation_mark(*there)) return;
    throw Error(Code::refused, "'" + plan_.request.name + "' is there already on " + connection_.uri());
  }

  void choose_kind() {
    plan_.offer = virt::guest_offer(connection_);
    if (plan_.offer.os_type != "hvm")
      throw Error(Code::unsupported,
                  connection_.uri() + " makes no machines, but domains of the kind '" + plan_.offer.os_type + "'");
    if (plan_.offer.emulated)
      plan_.notes.push_back(connection_.uri() + " has no KVM: machines are emulated there, and many times slower");
    if (plan_.request.firmware == Firmware::uefi && !virt::offers_uefi(connection_, plan_.offer))
      throw Error(Code::unsupported, connection_.uri() + " has no UEFI firmware for " + plan_.offer.arch + " " +
                                         plan_.offer.machine + ": install it there (package ovmf), or write bios");
    if (plan_.request.firmware == Firmware::uefi) pin_firmware();
  }

  // Or a new version of the firmware's package would give the machine, at its next start, another one than that which
  // its variables are of.
  void pin_firmware() {
    if (virt::firmware_is_pinned(connection_)) return;
    const auto chosen = virt::chosen_firmware(connection_, virt::DomainXml(plan_.xml()));
    if (chosen) plan_.offer.uefi_loader = chosen->loader;
  }

  void choose_networks() {
    const auto known = virt::networks(connection_);
    for (const auto& network : plan_.request.networks)
      if (network.kind != NetworkRequest::Kind::none) plan_.networks.push_back(network);
    if (plan_.request.networks.empty()) plan_.networks.push_back(usual_network(known));
    for (const auto& network : plan_.networks)
      if (network.kind == NetworkRequest::Kind::network) check_network(network.source, known);
  }

  NetworkRequest usual_network(const std::vector<virt::NetworkFacts>& known) {
    const bool has_default = std::any_of(known.begin(), known.end(), [](const auto& n) { return n.name == "default"; });
    NetworkRequest network;
    if (has_default)
      network.source = "default";
    else
      network.kind = NetworkRequest::Kind::user;
    if (!has_default)
      plan_.notes.push_back(connection_.uri() +
                            " has no network 'default': machines reach out, and are not reached (--network user)");
    return network;
  }

  void check_network(const std::string& name, const std::vector<virt::NetworkFacts>& known) {
    std::string all;
    for (const auto& network : known) {
      if (network.name == name && network.active) return;
      if (network.name == name) {
        plan_.notes.push_back("network '" + name + "' of " + connection_.uri() +
                              " is not active: machines on it start after virsh -c " + connection_.uri() +
                              " net-start " + name);
        return;
      }
      all += (all.empty() ? "; there are: " : ", ") + network.name;
    }
    throw Error(Code::not_found, "no network '" + name + "' on " + connection_.uri() + all);
  }

  void choose_pools() {
    const auto names = virt::pool_names(connection_);
    usual_pool_ = names.size() == 1 ? names.front() : "default";
    for (auto& disk : plan_.request.disks)
      if (disk.pool.empty()) disk.pool = usual_pool_;
  }

  void add_disk(const DiskRequest& disk) {
    PlannedVolume volume{.pool = disk.pool, .spec = {}};
    volume.spec.format = disk.format;
    volume.spec.preallocation = disk.preallocation;
    volume.spec.capacity_bytes = disk.size_bytes;
    const std::string target = names_.next(name_of(disk.bus));
    if (!disk.from.empty()) use_copy(disk, volume);
    if (!disk.backing.empty()) use_backing(disk, volume);
    volume.spec.name = fmt::format("{}-{}.{}", plan_.request.name, target, virt::name_of(disk.format));
    volume.target = target;
    add(std::move(volume), {.device = BuiltDisk::Device::disk,
                            .target = target,
                            .bus = name_of(disk.bus),
                            .format = virt::name_of(disk.format),
                            .source = {}});
  }

  void use_copy(const DiskRequest& disk, PlannedVolume& volume) {
    const auto image = find_image(connection_, disk.from, disk.pool);
    check_image_is_still(connection_, image, ImageUse::copied);
    volume.copy_of = {image.pool(), image.name()};
    const auto image_facts = virt::facts(image);
    take_size(image_facts, image, volume);
    needed_[disk.pool] += image_facts.allocation_bytes;
  }

  void use_backing(const DiskRequest& disk, PlannedVolume& volume) {
    const auto image = find_image(connection_, disk.backing, disk.pool);
    check_image_is_still(connection_, image, ImageUse::read_through);
    const auto image_facts = virt::facts(image);
    if (image_facts.format.empty())
      throw Error(Code::refused, "image " + image.path() + ": its hypervisor does not know its format");
    volume.spec.backing = virt::BackingImage{.path = image.path(), .format = image_facts.format};
    take_size(image_facts, image, volume);
  }

  static void take_size(const virt::VolumeFacts& image_facts, const virt::Volume& image, PlannedVolume& volume) {
    if (volume.spec.capacity_bytes == 0) volume.spec.capacity_bytes = image_facts.capacity_bytes;
    if (volume.spec.capacity_bytes < image_facts.capacity_bytes)
      throw Error(Code::refused, fmt::format("image {} is a disk of {} bytes: one of {} would cut off its end",
                                             image.path(), image_facts.capacity_bytes, volume.spec.capacity_bytes));
  }

  // SATA: what installers surely have a driver for.
  void add_medium() {
    if (plan_.request.iso.empty()) return;
    const bool qemu = plan_.offer.domain_type == "kvm" || plan_.offer.domain_type == "qemu";
    const std::string bus = qemu ? "sata" : "ide";
    const auto image = find_image(connection_, plan_.request.iso, usual_pool_);
    plan_.disks.push_back({.device = BuiltDisk::Device::cdrom,
                           .target = names_.next(bus),
                           .bus = bus,
                           .format = "raw",
                           .source = image.source()});
  }

  // SCSI: kernels that are made for clouds have a driver for virtio, and none for SATA.
  void add_seed() {
    if (!plan_.request.seed) return;
    PlannedVolume volume{.pool = plan_.request.disks.empty() ? usual_pool_ : plan_.request.disks.front().pool,
                         .spec = {},
                         .seed = plan_.request.seed,
                         .target = names_.next("scsi")};
    volume.spec.name = plan_.request.name + "-seed.iso";
    volume.spec.format = virt::VolumeFormat::raw;
    volume.spec.capacity_bytes = seed_image(*volume.seed, plan_.uuid).size();
    const BuiltDisk disk{
        .device = BuiltDisk::Device::cdrom, .target = volume.target, .bus = "scsi", .format = "raw", .source = {}};
    add(std::move(volume), disk);
  }

  void add(PlannedVolume volume, BuiltDisk disk) {
    const auto& pool = pool_of(volume.pool);
    const auto already = [&](const auto& left) { return left.pool == volume.pool && left.name == volume.spec.name; };
    if (pool.find(volume.spec.name) && std::none_of(left_.begin(), left_.end(), already))
      throw Error(Code::refused, "volume '" + volume.spec.name + "' is in pool '" + volume.pool +
                                     "' already, and is not overwritten: take another name for the machine, or, if " +
                                     "nobody needs it, virsh -c " + connection_.uri() + " vol-delete " +
                                     volume.spec.name + " " + volume.pool);
    const auto of_pool = virt::facts(pool);
    if (volume.spec.format == virt::VolumeFormat::qcow2 && !of_pool.holds_files())
      throw Error(Code::unsupported, "pool '" + volume.pool + "' is of the type " + of_pool.type +
                                         ", whose volumes are raw: write format=raw");
    disk.source = expected_source(pool.name(), of_pool, volume.spec.name);
    if (volume.spec.preallocation == Preallocation::falloc || volume.spec.preallocation == Preallocation::full)
      needed_[volume.pool] += volume.spec.capacity_bytes;
    promised_[volume.pool] += volume.spec.capacity_bytes;
    plan_.disks.push_back(std::move(disk));
    plan_.volumes.push_back(std::move(volume));
  }

  const virt::Pool& pool_of(const std::string& name) {
    const auto known = pools_.find(name);
    return known != pools_.end() ? known->second : pools_.emplace(name, virt::pool(connection_, name)).first->second;
  }

  // Before anything is made. What grows later is only told of.
  void check_room() {
    for (const auto& [name, pool] : pools_) {
      const std::uint64_t room = virt::facts(pool).available_bytes;
      if (needed_[name] > room)
        throw Error(Code::no_space,
                    fmt::format("pool '{}' has {} left, and '{}' takes {} at once", name, base::format_mib(room),
                                plan_.request.name, base::format_mib(needed_[name])));
      if (promised_[name] > room)
        plan_.notes.push_back(fmt::format("pool '{}' has {} left, and the disks of '{}' may grow to {}", name,
                                          base::format_mib(room), plan_.request.name,
                                          base::format_mib(promised_[name])));
    }
  }

  const virt::Connection& connection_;
  const std::vector<virt::VolumeName>& left_;
  CreationPlan plan_;
  DiskNames names_;
  std::string usual_pool_;
  std::map<std::string, virt::Pool> pools_;
  std::map<std::string, std::uint64_t> needed_, promised_;
};

}  // namespace

std::string CreationPlan::xml() const {
  std::string metadata;
  for (const auto& volume : volumes)
    if (volume.seed)
      metadata = virt::new_metadata({note_of_seed(uuid, {.pool = volume.pool, .name = volume.spec.name})});
  return domain_xml(
      {.request = request, .offer = offer, .uuid = uuid, .disks = disks, .networks = networks, .metadata = metadata});
}

Making CreationPlan::making() const {
  return {.uuid = uuid, .definition = xml(), .volumes = volumes, .autostart = request.autostart};
}

CreationPlan plan_creation(const base::Context& ctx, const virt::Connection& connection, const MachineRequest& request,
                           const std::vector<virt::VolumeName>& left) {
  return Planner(connection, request, left).plan(ctx);
}

}  // namespace muster::vm
