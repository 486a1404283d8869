#include "vm/machine_facts.h"

#include <algorithm>
#include <set>

#include "virt/domain_list.h"
#include "virt/guest_agent.h"
#include "virt/statistics.h"
#include "vm/tombstone.h"

namespace muster::vm {
namespace {

bool is_on(virt::State state) {
  return state == virt::State::running || state == virt::State::paused || state == virt::State::blocked;
}

std::vector<DiskFacts> disks_of(const virt::DomainStatistics& domain) {
  std::vector<DiskFacts> disks;
  for (const auto& block : domain.disks)
    disks.push_back({.target = block.target,
                     .device = "",
                     .bus = "",
                     .format = "",
                     .source = block.path,
                     .capacity_bytes = block.capacity_bytes,
                     .allocation_bytes = block.allocation_bytes});
  return disks;
}

// What libvirt itself knows: no guest is asked, which could take its time.
std::vector<virt::GuestAddress> known_addresses(const virt::Domain& domain) {
  for (const auto source : {virt::AddressSource::leases, virt::AddressSource::arp})
    if (auto found = virt::addresses(domain, source); !found.empty()) return found;
  return {};
}

}  // namespace

std::vector<MachineFacts> list_machines(const base::Context& ctx, const virt::Connection& connection) {
  const auto autostarting = virt::uuids_with(connection, virt::Trait::autostart);
  const auto persistent = virt::uuids_with(connection, virt::Trait::persistent);
  const auto with_snapshots = virt::uuids_with(connection, virt::Trait::has_snapshots);
  const auto saved = virt::uuids_with(connection, virt::Trait::has_saved_image);
  std::vector<MachineFacts> machines;
  for (const auto& domain : virt::prompt_statistics(ctx, connection, virt::Detail::outline)) {
    ctx.check_stop();
    if (in_trash(domain.domain)) continue;
    MachineFacts facts;
    facts.name = domain.domain.name();
    facts.uuid = domain.domain.uuid();
    facts.state =
        domain.state == virt::State::shut_off && saved.contains(facts.uuid) ? virt::State::saved : domain.state;
    facts.stale = domain.stale;
    facts.cpus = domain.cpus.value_or(domain.max_cpus.value_or(0));
    facts.memory_bytes = domain.memory_bytes.value_or(domain.max_memory_bytes.value_or(0));
    facts.autostart = autostarting.contains(facts.uuid);
    facts.persistent = persistent.contains(facts.uuid);
    facts.snapshots = with_snapshots.contains(facts.uuid) ? virt::snapshot_count(domain.domain) : 0;
    facts.disks = disks_of(domain);
    if (is_on(facts.state)) facts.addresses = known_addresses(domain.domain);
    machines.push_back(std::move(facts));
  }
  std::sort(machines.begin(), machines.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return machines;
}

MachineDetails describe(const virt::Domain& domain) {
  const virt::DomainXml xml(domain.xml(virt::Domain::Xml::current));
  MachineDetails details;
  MachineFacts& facts = details.facts;
  facts.name = domain.name();
  facts.uuid = domain.uuid();
  facts.state = domain.state();
  facts.cpus = xml.cpus();
  facts.memory_bytes = xml.current_memory_bytes();
  facts.autostart = domain.autostart();
  facts.persistent = domain.persistent();
  details.snapshot_names = virt::snapshot_names(domain);
  facts.snapshots = details.snapshot_names.size();
  for (const auto& disk : xml.disks()) {
    const auto sizes = virt::disk_sizes(domain, disk.target);
    facts.disks.push_back({.target = disk.target,
                           .device = disk.device,
                           .bus = disk.bus,
                           .format = disk.format,
                           .source = disk.source,
                           .capacity_bytes = sizes.capacity_bytes,
                           .allocation_bytes = sizes.allocation_bytes});
  }
  if (is_on(facts.state)) {
    details.agent = virt::agent_connected(domain);
    facts.addresses = virt::addresses(domain);
  }
  details.reason = domain.reason();
  details.driver_type = xml.type();
  details.machine = xml.machine();
  details.nvram = xml.nvram();
  details.firmware = xml.firmware();
  details.max_cpus = xml.max_cpus();
  details.max_memory_bytes = xml.memory_bytes();
  details.interfaces = xml.interfaces();
  return details;
}

}  // namespace muster::vm
