#include "clone/clone_plan.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/quantity.h"
#include "clone/clone_mark.h"
#include "clone/first_boot.h"
#include "clone/image_facts.h"
#include "clone/mac_addresses.h"
#include "clone/master_store.h"
#include "disk/file_copy.h"
#include "parallel-ssh/host_key_pair.h"
#include "virt/devices.h"
#include "virt/domain_list.h"
#include "virt/domain_xml.h"
#include "virt/identity.h"
#include "virt/image_files.h"
#include "virt/machine_size.h"
#include "virt/storage.h"
#include "vm/creation.h"
#include "vm/creation_plan.h"
#include "vm/domain_builder.h"
#include "vm/firmware.h"
#include "vm/own_seed.h"
#include "vm/seed.h"
#include "vm/tombstone.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kRandomSeedBytes = 64;

// What all clones of a request have in common: the master, looked at once, and where their images go.
struct Basis {
  Generation generation;
  virt::DomainXml definition;
  virt::Pool pool;
  virt::PoolFacts pool_facts;
  CloneKind kind;
  bool made_here;  // what is not built on another image: by this process, and not by the hypervisor
};

CloneKind chosen_kind(const CloneRequest& request, const Generation& generation, const virt::PoolFacts& pool,
                      bool seen_here) {
  const auto& image = generation.images.front();
  const bool shares =
      seen_here && pool.holds_files() && image.backing_path.empty() && disk::can_share_blocks(image.path, pool.path);
  const bool links = pool.holds_files();
  switch (request.kind) {
    case CloneKind::automatic:
      return shares ? CloneKind::reflink : links ? CloneKind::linked : CloneKind::full;
    case CloneKind::reflink:
      if (!shares)
        throw Error(Code::unsupported, "blocks of " + image.path + " cannot be shared with files in " + pool.path +
                                           ": that takes one file system that can (xfs, btrfs), on this host, and an "
                                           "image that stands alone; --linked or --full do without");
      return CloneKind::reflink;
    case CloneKind::linked:
      if (!links)
        throw Error(Code::unsupported, "volumes of a pool of the type " + pool.type +
                                           " cannot be built on an image: "
                                           "--full copies it");
      return CloneKind::linked;
    case CloneKind::full:
      break;
  }
  return CloneKind::full;
}

Basis basis_of(const base::Context& ctx, const virt::Connection& connection, const CloneRequest& request) {
  auto generation = find_generation(generations(ctx, connection), request.master, connection.uri());
  if (!generation.whole()) throw Error(Code::busy, "the master " + name_of(generation) + " is half made");
  check_unchanged(ctx, connection, generation);
  const auto image = virt::volume_of_path(connection, generation.images.front().path);
  const auto pool = virt::pool(connection, request.pool.empty() && image ? image->pool() : request.pool);
  const auto pool_facts = virt::facts(pool);
  const bool seen_here =
      virt::is_seen_here(connection, generation.images.front().path) && virt::is_seen_here(connection, pool);
  const bool writable = pool_facts.holds_files() && ::access(pool_facts.path.c_str(), W_OK) == 0;
  const auto kind = chosen_kind(request, generation, pool_facts, seen_here && writable);
  virt::DomainXml definition(generation.definition);
  return {.generation = std::move(generation),
          .definition = std::move(definition),
          .pool = pool,
          .pool_facts = pool_facts,
          .kind = kind,
          .made_here = seen_here && writable};
}

std::string free_target(const virt::DomainXml& definition, const std::string& prefix) {
  const auto disks = definition.disks();
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    const std::string target = prefix + letter;
    if (std::none_of(disks.begin(), disks.end(), [&](const auto& disk) { return disk.target == target; }))
      return target;
  }
  throw Error(Code::unsupported, "the master has no room for another drive: no " + prefix + "a to z is free");
}

class ClonePlanner {
 public:
  ClonePlanner(const base::Context& ctx, const virt::Connection& connection, const CloneRequest& request,
               const PlanOptions& options)
      : ctx_(ctx),
        connection_(connection),
        request_(request),
        options_(options),
        basis_(basis_of(ctx, connection, request)),
        macs_(request.mac_prefix.empty() ? MacAddresses::kUsualPrefix : request.mac_prefix) {
    for (const auto& mac : request.taken_macs) macs_.take(mac);
    if (request.size_bytes != 0 && request.size_bytes < basis_.generation.images.front().capacity_bytes)
      throw Error(Code::usage, fmt::format("the master's disk has {} bytes: a clone's cannot have {}",
                                           basis_.generation.images.front().capacity_bytes, request.size_bytes));
    resize();
    check_guest();
    if (!basis_.generation.tpm_state.empty() && !connection.is_of_this_host())
      throw Error(Code::unsupported, "the master " + name_of(basis_.generation) +
                                         " keeps the state of a TPM, which muster writes on its own host alone: run it "
                                         "there");
  }

  Generation plan(const PlanSink& sink) {
    look_at_domains();
    for (const auto& wanted : request_.machines) {
      ctx_.check_stop();
      sink(planned(wanted));
    }
    check_room();
    return basis_.generation;
  }

 private:
  // Whether what was asked for has a way into it.
  void check_guest() const {
    const bool asks =
        !request_.ssh_keys.empty() || std::any_of(request_.machines.begin(), request_.machines.end(),
                                                  [](const auto& machine) { return machine.fixed.has_value(); });
    const GuestKind kind = basis_.generation.guest;
    const std::string sealed = "the master " + name_of(basis_.generation) + " is sealed as a guest that ";
    if (kind == GuestKind::none && (asks || !request_.user_data.empty()))
      throw Error(Code::usage, sealed +
                                   "sees to its identity itself (none): addresses, SSH keys and user-data have no "
                                   "way into its clones");
    if (request_.give_host_keys && kind != GuestKind::cloud_init)
      throw Error(Code::usage, sealed + "reads no seed (" + name_of(kind) + "): a host key has no way into it");
    if (kind != GuestKind::offline) return;
    if (!request_.user_data.empty())
      throw Error(Code::usage, sealed + "reads no seed (offline): user-data is for cloud-init");
    if (!basis_.made_here && (!options_.reaches_disks || !basis_.pool_facts.holds_files()))
      throw Error(Code::unsupported,
                  sealed + "is given its identity in its disks (offline), and those on " + connection_.uri() +
                      " are not files that can be written to from here: run muster there, or reach it over SSH "
                      "(qemu+ssh://), as a user who may");
  }

  // Once for all of them.
  void resize() {
    if (request_.cpus) tell(virt::set_cpus(basis_.definition, *request_.cpus));
    if (request_.memory_bytes) tell(virt::set_memory(basis_.definition, *request_.memory_bytes));
    if (request_.networks.empty()) return;
    std::vector<std::string> elements;
    for (const auto& network : request_.networks)
      if (network.kind != vm::NetworkRequest::Kind::none)
        elements.push_back(virt::device_xml(virt::NewInterface{
            .kind = vm::name_of(network.kind), .source = network.source, .mac = {}, .model = network.model}));
    virt::set_interfaces(basis_.definition, elements);
  }

  void tell(const std::vector<std::string>& gone) { gone_.insert(gone_.end(), gone.begin(), gone.end()); }

  void look_at_domains() {
    virt::for_each_domain(ctx_, connection_, [&](const virt::Domain& domain) {
      for (const auto& interface : virt::DomainXml(domain.xml(virt::Domain::Xml::definition)).interfaces())
        macs_.take(interface.mac);
      domains_.emplace(domain.name(), domain);
    });
  }

  PlannedClone planned(const WantedClone& wanted) {
    PlannedClone clone{.name = wanted.name, .kind = basis_.kind, .generation = basis_.generation.number};
    std::vector<virt::VolumeName> left;
    if (const auto there = domains_.find(wanted.name); there != domains_.end()) {
      if (const auto leftover = vm::find_leftover(connection_, wanted.name)) {
        vm::check_abandoned(*leftover, options_.take_over);
        clone.state = PlannedClone::State::half_made;
        left = leftover->mark.volumes;
      } else {
        const auto mark = its_mark(there->second);
        clone.kind = mark.kind;
        clone.generation = mark.generation;
        clone.state = PlannedClone::State::there;
        clone.making.uuid = there->second.uuid();
        return clone;
      }
    }
    make(wanted, left, clone);
    return clone;
  }

  CloneMark its_mark(const virt::Domain& domain) const {
    const auto mark = clone_mark(domain);
    if (mark && mark->master == basis_.generation.master) return *mark;
    throw Error(Code::refused, "'" + domain.name() + "' is there already on " + connection_.uri() +
                                   ", and is no clone " + "of '" + basis_.generation.master + "'");
  }

  void make(const WantedClone& wanted, const std::vector<virt::VolumeName>& left, PlannedClone& clone) {
    vm::Making& making = clone.making;
    making.uuid = vm::fresh_uuid();
    making.autostart = request_.autostart;
    virt::NewIdentity identity{.name = wanted.name,
                               .disks = {},
                               .keep_disk_serials = false,
                               .uuid = making.uuid,
                               .macs = new_macs(),
                               .keep_metadata_of_others = false};
    clone.macs = identity.macs;
    for (const auto& image : basis_.generation.images) {
      auto volume = volume_for(wanted, image);
      const auto source = vm::expected_source(basis_.pool.name(), basis_.pool_facts, volume.spec.name);
      if (source.kind == virt::DiskSource::Kind::volume)
        throw Error(Code::unsupported, "pool '" + basis_.pool.name() + "' is of the type " + basis_.pool_facts.type +
                                           ", whose volumes have no path: clones go into pools of files or of logical "
                                           "volumes so far");
      identity.disks[image.target] = {.path = source.path,
                                      .format = virt::name_of(volume.spec.format),
                                      .block = source.kind == virt::DiskSource::Kind::block};
      check_free(volume.spec.name, left);
      making.volumes.push_back(std::move(volume));
    }
    auto rewritten = virt::with_new_identity(basis_.definition, identity);
    clone.left_out = std::move(rewritten.left_out);
    clone.left_out.insert(clone.left_out.end(), gone_.begin(), gone_.end());
    virt::DomainXml definition(rewritten.xml);
    std::string variables = basis_.generation.variables;
    vm::place_variables(connection_, definition, variables);
    clone.takes_variables = !variables.empty();
    clone.takes_tpm_state = !basis_.generation.tpm_state.empty();
    finish(wanted, left, definition, clone);
  }

  // Of those that the clone will have: a guest whose cloud-init is told of another waits for it in vain.
  std::vector<std::string> new_macs() {
    std::vector<std::string> macs;
    for (const auto& interface : basis_.definition.interfaces())
      if (interface.type != "hostdev") macs.push_back(macs_.next());
    return macs;
  }

  vm::PlannedVolume volume_for(const WantedClone& wanted, const MasterImage& image) {
    vm::PlannedVolume volume{.pool = basis_.pool.name(), .spec = {}, .target = image.target};
    const bool first = &image == &basis_.generation.images.front();
    volume.spec.capacity_bytes = std::max(image.capacity_bytes, first ? request_.size_bytes : 0);
    volume.spec.format = image.format == "raw" ? virt::VolumeFormat::raw : virt::VolumeFormat::qcow2;
    if (!basis_.pool_facts.holds_files()) volume.spec.format = virt::VolumeFormat::raw;
    if (basis_.kind == CloneKind::linked) {
      volume.spec.format = virt::VolumeFormat::qcow2;
      volume.spec.backing = virt::BackingImage{.path = image.path, .format = image.format};
    } else {
      copy(image, volume);
    }
    volume.spec.name = fmt::format("{}-{}.{}", wanted.name, image.target, virt::name_of(volume.spec.format));
    return volume;
  }

  // What is built on another image is copied by the hypervisor, which makes it stand alone.
  void copy(const MasterImage& image, vm::PlannedVolume& volume) {
    // Volumes that are no files take all of it at once.
    if (basis_.kind != CloneKind::reflink)
      needed_bytes_ += basis_.pool_facts.holds_files() ? image.allocation_bytes : volume.spec.capacity_bytes;
    const bool same_format = image.format == virt::name_of(volume.spec.format) && basis_.pool_facts.holds_files();
    if (basis_.kind == CloneKind::reflink || (basis_.made_here && same_format && image.backing_path.empty())) {
      volume.made_here = true;
      volume.copy_of_file = image.path;
      volume.shares_blocks = basis_.kind == CloneKind::reflink;
      return;
    }
    const auto source = virt::volume_of_path(connection_, image.path);
    if (!source) throw Error(Code::corrupt, image.path + " is gone");
    volume.copy_of = {source->pool(), source->name()};
  }

  void check_free(const std::string& name, const std::vector<virt::VolumeName>& left) const {
    const auto is_left = [&](const auto& old) { return old.pool == basis_.pool.name() && old.name == name; };
    if (std::any_of(left.begin(), left.end(), is_left) || !basis_.pool.find(name)) return;
    throw Error(Code::refused, "volume '" + name + "' is in pool '" + basis_.pool.name() + "' already, and is not " +
                                   "overwritten: muster clone gc tells what nobody needs");
  }

  void finish(const WantedClone& wanted, const std::vector<virt::VolumeName>& left, virt::DomainXml& definition,
              PlannedClone& clone) {
    vm::Making& making = clone.making;
    std::vector<virt::MetadataElement> facts{to_metadata(CloneMark{.uuid = making.uuid,
                                                                   .master = basis_.generation.master,
                                                                   .generation = basis_.generation.number,
                                                                   .kind = basis_.kind,
                                                                   .since = vm::time_text(vm::now())})};
    if (basis_.generation.guest == GuestKind::cloud_init) {
      std::vector<vm::PlannedVolume> seeds{seed_volume(wanted, clone, "-seed.iso", std::nullopt)};
      std::string secret;
      if (request_.give_host_keys) {
        const auto pair = ssh::make_host_key_pair(ssh::HostKeyKind::ed25519);
        facts.push_back(note_of_keys(making.uuid, {.keys = {pair.public_line}, .by = HeardBy::seed}));
        seeds.push_back(seed_volume(wanted, clone, "-key.iso", pair));
        secret = seeds.back().spec.name;
      }
      for (const auto& seed : seeds) check_free(seed.spec.name, left);
      add_drive(definition, seeds.back());
      facts.push_back(
          vm::note_of_seed(making.uuid, {.pool = basis_.pool.name(), .name = seeds.front().spec.name}, secret));
      for (auto& seed : seeds) making.volumes.push_back(std::move(seed));
    }
    if (basis_.generation.guest == GuestKind::offline) clone.identity = identity_of(wanted, clone);
    virt::set_facts(definition, facts);
    making.definition = definition.text();
  }

  OfflineIdentity identity_of(const WantedClone& wanted, const PlannedClone& clone) const {
    OfflineIdentity identity{.host_name = wanted.name,
                             .uuid = clone.making.uuid,
                             .ssh_keys = request_.ssh_keys,
                             .user = request_.user,
                             .fixed = wanted.fixed,
                             .macs = clone.macs,
                             .former_macs = {}};
    // As it was sealed: the clone's may be others.
    for (const auto& interface : virt::DomainXml(basis_.generation.definition).interfaces())
      if (interface.type != "hostdev") identity.former_macs.push_back(interface.mac);
    return identity;
  }

  vm::PlannedVolume seed_volume(const WantedClone& wanted, const PlannedClone& clone, const char* ending,
                                const std::optional<ssh::HostKeyPair>& host_key) const {
    const GuestIdentity guest{.host_name = wanted.name,
                              .machine_id = machine_id_of(clone.making.uuid),
                              .random_seed = base::random_bytes(kRandomSeedBytes),
                              .ssh_keys = request_.ssh_keys,
                              .user_data = request_.user_data,
                              .fixed = wanted.fixed,
                              .macs = clone.macs,
                              .host_key = host_key};
    const vm::SeedRequest seed{.host_name = wanted.name,
                               .ssh_keys = {},
                               .user_data = user_data(guest),
                               .network_config = network_config(guest)};
    vm::PlannedVolume volume{.pool = basis_.pool.name(), .spec = {}, .made_here = basis_.made_here, .seed = seed};
    volume.spec.name = wanted.name + ending;
    volume.spec.format = virt::VolumeFormat::raw;
    return volume;
  }

  // Where the guest surely has a driver for it: on the bus of its disk, or on SCSI of virtio's beside virtio disks.
  void add_drive(virt::DomainXml& definition, vm::PlannedVolume& volume) const {
    const auto disks = definition.disks();
    const std::string disk_bus = disks.empty() ? "virtio" : disks.front().bus;
    const std::string bus = disk_bus == "virtio" ? "scsi" : disk_bus;
    volume.target = free_target(definition, bus == "ide" ? "hd" : "sd");
    if (disk_bus == "virtio") virt::ensure_virtio_scsi(definition);
    const auto source = vm::expected_source(basis_.pool.name(), basis_.pool_facts, volume.spec.name);
    virt::add_disk(definition, vm::disk_element({.device = vm::BuiltDisk::Device::cdrom,
                                                 .target = volume.target,
                                                 .bus = bus,
                                                 .format = "raw",
                                                 .source = source}));
  }

  void check_room() const {
    const auto room = virt::facts(basis_.pool).available_bytes;
    if (needed_bytes_ > room)
      throw Error(Code::no_space, fmt::format("pool '{}' has {} left, and the copies take {}", basis_.pool.name(),
                                              base::format_mib(room), base::format_mib(needed_bytes_)));
  }

  const base::Context& ctx_;
  const virt::Connection& connection_;
  const CloneRequest& request_;
  const PlanOptions options_;
  Basis basis_;
  MacAddresses macs_;
  std::vector<std::string> gone_;  // of the master, by what was asked for
  std::map<std::string, virt::Domain> domains_;
  std::uint64_t needed_bytes_ = 0;
};

}  // namespace

const char* name_of(PlannedClone::State state) {
  switch (state) {
    case PlannedClone::State::to_make:
      return "create";
    case PlannedClone::State::half_made:
      return "create anew";
    case PlannedClone::State::there:
      return "unchanged";
  }
  return "";
}

Generation plan_clones(const base::Context& ctx, const virt::Connection& connection, const CloneRequest& request,
                       const PlanOptions& options, const PlanSink& sink) {
  return ClonePlanner(ctx, connection, request, options).plan(sink);
}

}  // namespace muster::clone
