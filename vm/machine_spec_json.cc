// A MachineRequest as JSON, for the way to a hypervisor's worker. Both ends are of one version: nothing is optional.
#include <nlohmann/json.hpp>

#include "vm/machine_spec.h"

namespace muster::vm {
namespace {

using nlohmann::json;

json to_json(const DiskRequest& disk) {
  return {{"size", disk.size_bytes}, {"format", disk.format},   {"preallocate", disk.preallocation},
          {"from", disk.from},       {"backing", disk.backing}, {"pool", disk.pool},
          {"bus", disk.bus}};
}

DiskRequest disk_from(const json& fields) {
  return {.size_bytes = fields.at("size"),
          .format = fields.at("format"),
          .preallocation = fields.at("preallocate"),
          .from = fields.at("from"),
          .backing = fields.at("backing"),
          .pool = fields.at("pool"),
          .bus = fields.at("bus")};
}

}  // namespace

json to_json(const SeedRequest& seed) {
  return {{"host_name", seed.host_name},
          {"ssh_keys", seed.ssh_keys},
          {"user_data", seed.user_data},
          {"network_config", seed.network_config}};
}

SeedRequest seed_from_json(const json& fields) {
  return {.host_name = fields.at("host_name"),
          .ssh_keys = fields.at("ssh_keys").get<std::vector<std::string>>(),
          .user_data = fields.at("user_data"),
          .network_config = fields.at("network_config")};
}

json to_json(const NetworkRequest& network) {
  return {{"kind", network.kind}, {"source", network.source}, {"mac", network.mac}, {"model", network.model}};
}

NetworkRequest network_from_json(const json& fields) {
  return {
      .kind = fields.at("kind"), .source = fields.at("source"), .mac = fields.at("mac"), .model = fields.at("model")};
}

json to_json(const MachineRequest& request) {
  json fields = {{"name", request.name},         {"cpus", request.cpus},          {"memory", request.memory_bytes},
                 {"firmware", request.firmware}, {"disks", json::array()},        {"iso", request.iso},
                 {"networks", json::array()},    {"autostart", request.autostart}};
  for (const auto& disk : request.disks) fields["disks"].push_back(to_json(disk));
  for (const auto& network : request.networks) fields["networks"].push_back(to_json(network));
  if (request.seed) fields["seed"] = to_json(*request.seed);
  return fields;
}

MachineRequest request_from_json(const json& fields) {
  MachineRequest request{.name = fields.at("name"),
                         .cpus = fields.at("cpus"),
                         .memory_bytes = fields.at("memory"),
                         .firmware = fields.at("firmware"),
                         .disks = {},
                         .iso = fields.at("iso"),
                         .networks = {},
                         .seed = {},
                         .autostart = fields.at("autostart")};
  for (const auto& disk : fields.at("disks")) request.disks.push_back(disk_from(disk));
  for (const auto& network : fields.at("networks")) request.networks.push_back(network_from_json(network));
  if (fields.contains("seed")) request.seed = seed_from_json(fields["seed"]);
  return request;
}

}  // namespace muster::vm
