#include "clone/clone_request.h"

#include <array>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace muster::clone {
namespace {

using nlohmann::json;

constexpr std::array kCloneKinds{CloneKind::automatic, CloneKind::linked, CloneKind::reflink, CloneKind::full};

json to_json(const WantedClone& machine) {
  json fields = {{"name", machine.name}};
  if (machine.fixed) fields["fixed"] = clone::to_json(*machine.fixed);
  return fields;
}

WantedClone machine_from(const json& fields) {
  WantedClone machine{.name = fields.at("name")};
  if (fields.contains("fixed")) machine.fixed = static_address_from(fields["fixed"]);
  return machine;
}

}  // namespace

const char* name_of(CloneKind kind) {
  switch (kind) {
    case CloneKind::automatic:
      return "auto";
    case CloneKind::linked:
      return "linked";
    case CloneKind::reflink:
      return "reflink";
    case CloneKind::full:
      return "full";
  }
  return "auto";
}

CloneKind clone_kind_named(std::string_view name) {
  for (const auto kind : kCloneKinds)
    if (name == name_of(kind)) return kind;
  throw base::Error(base::Code::usage,
                    "clones of the kind '" + std::string(name) + "': there are linked, reflink, full");
}

json to_json(const CloneRequest& request) {
  json fields = {{"master", request.master.name},
                 {"kind", name_of(request.kind)},
                 {"pool", request.pool},
                 {"size", request.size_bytes},
                 {"ssh_keys", request.ssh_keys},
                 {"user_data", request.user_data},
                 {"user", request.user},
                 {"give_host_keys", request.give_host_keys},
                 {"autostart", request.autostart},
                 {"mac_prefix", request.mac_prefix},
                 {"taken_macs", request.taken_macs},
                 {"networks", json::array()},
                 {"machines", json::array()}};
  if (request.master.number) fields["generation"] = *request.master.number;
  if (request.cpus) fields["cpus"] = *request.cpus;
  if (request.memory_bytes) fields["memory"] = *request.memory_bytes;
  for (const auto& network : request.networks) fields["networks"].push_back(vm::to_json(network));
  for (const auto& machine : request.machines) fields["machines"].push_back(to_json(machine));
  return fields;
}

CloneRequest clone_request_from(const json& fields) {
  CloneRequest request{.master = {.name = fields.at("master")},
                       .kind = clone_kind_named(fields.at("kind").get<std::string>()),
                       .pool = fields.at("pool"),
                       .size_bytes = fields.at("size"),
                       .ssh_keys = fields.at("ssh_keys"),
                       .user = fields.at("user"),
                       .user_data = fields.at("user_data"),
                       .give_host_keys = fields.at("give_host_keys"),
                       .autostart = fields.at("autostart"),
                       .mac_prefix = fields.at("mac_prefix"),
                       .taken_macs = fields.at("taken_macs")};
  if (fields.contains("generation")) request.master.number = fields["generation"].get<unsigned>();
  if (fields.contains("cpus")) request.cpus = fields["cpus"].get<unsigned>();
  if (fields.contains("memory")) request.memory_bytes = fields["memory"].get<std::uint64_t>();
  for (const auto& network : fields.at("networks")) request.networks.push_back(vm::network_from_json(network));
  for (const auto& machine : fields.at("machines")) request.machines.push_back(machine_from(machine));
  return request;
}

}  // namespace muster::clone
