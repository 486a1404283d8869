#include "cli/machine_json.h"

#include <nlohmann/json.hpp>

namespace muster::cli {
namespace {

using nlohmann::json;

json bytes_or_null(const std::optional<std::uint64_t>& bytes) { return bytes ? json(*bytes) : json(); }

json disks(const std::vector<vm::DiskFacts>& all) {
  json list = json::array();
  for (const auto& disk : all) {
    json fields = {{"target", disk.target},
                   {"source", disk.source},
                   {"capacity_bytes", bytes_or_null(disk.capacity_bytes)},
                   {"allocation_bytes", bytes_or_null(disk.allocation_bytes)}};
    if (!disk.device.empty()) fields["device"] = disk.device;
    if (!disk.bus.empty()) fields["bus"] = disk.bus;
    if (!disk.format.empty()) fields["format"] = disk.format;
    list.push_back(std::move(fields));
  }
  return list;
}

json addresses(const std::vector<virt::GuestAddress>& all) {
  json list = json::array();
  for (const auto& address : all)
    list.push_back({{"address", address.address},
                    {"prefix", address.prefix},
                    {"interface", address.interface},
                    {"mac", address.mac}});
  return list;
}

}  // namespace

json to_json(const vm::MachineFacts& facts) {
  json fields = {{"name", facts.name},
                 {"uuid", facts.uuid},
                 {"state", virt::name_of(facts.state)},
                 {"cpus", facts.cpus},
                 {"memory_bytes", facts.memory_bytes},
                 {"autostart", facts.autostart},
                 {"persistent", facts.persistent},
                 {"snapshots", facts.snapshots},
                 {"disks", disks(facts.disks)},
                 {"addresses", addresses(facts.addresses)}};
  if (facts.stale) fields["stale"] = true;
  return fields;
}

json to_json(const vm::MachineDetails& details) {
  json fields = to_json(details.facts);
  fields["reason"] = details.reason;
  fields["hypervisor"] = details.driver_type;
  fields["machine"] = details.machine;
  fields["firmware"] = details.firmware;
  if (!details.nvram.empty()) fields["nvram"] = details.nvram;
  fields["max_cpus"] = details.max_cpus;
  fields["max_memory_bytes"] = details.max_memory_bytes;
  fields["agent"] = details.agent;
  fields["snapshot_names"] = details.snapshot_names;
  json interfaces = json::array();
  for (const auto& interface : details.interfaces)
    interfaces.push_back({{"kind", interface.type},
                          {"source", interface.source},
                          {"mac", interface.mac},
                          {"model", interface.model},
                          {"device", interface.target}});
  fields["interfaces"] = std::move(interfaces);
  return fields;
}

}  // namespace muster::cli
