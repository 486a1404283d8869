#include "inventory/ansible_json.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <nlohmann/json.hpp>

namespace muster::inventory {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 19> kInternal = {"ansible_config_file",
                                                        "ansible_diff_mode",
                                                        "ansible_facts",
                                                        "ansible_forks",
                                                        "ansible_inventory_sources",
                                                        "ansible_limit",
                                                        "ansible_playbook_python",
                                                        "ansible_run_tags",
                                                        "ansible_skip_tags",
                                                        "ansible_verbosity",
                                                        "ansible_version",
                                                        "group_names",
                                                        "groups",
                                                        "inventory_dir",
                                                        "inventory_file",
                                                        "inventory_hostname",
                                                        "inventory_hostname_short",
                                                        "omit",
                                                        "playbook_dir"};

json to_json(const yaml::Node& node, yaml::Schema schema);

json scalar_json(const yaml::Node& node, yaml::Schema schema) {
  if (node.tag == "!unsafe") return {{"__ansible_unsafe", node.text}};
  const yaml::Scalar scalar = yaml::resolve(node, schema);
  if (const auto* flag = std::get_if<bool>(&scalar)) return *flag;
  if (const auto* integer = std::get_if<std::int64_t>(&scalar)) return *integer;
  if (const auto* number = std::get_if<double>(&scalar))
    return std::isfinite(*number) ? json(*number) : json(node.text);
  if (const auto* text = std::get_if<std::string>(&scalar)) return *text;
  return nullptr;
}

// JSON knows text as keys only: what was read as another type is written as JSON writes that type.
std::string key_text(const yaml::Node& key, yaml::Schema schema) {
  const json value = scalar_json(key, schema);
  return value.is_string() || value.is_object() ? key.text : value.dump();
}

json to_json(const yaml::Node& node, yaml::Schema schema) {
  if (node.is_scalar()) return scalar_json(node, schema);
  if (node.is_sequence()) {
    json list = json::array();
    for (const auto& item : node.items) list.push_back(to_json(item, schema));
    return list;
  }
  json object = json::object();
  for (const auto& [key, value] : node.entries) object[key_text(key, schema)] = to_json(value, schema);
  return object;
}

json group_json(const Inventory& inventory, GroupIndex index) {
  const Inventory::Group& group = inventory.groups()[index];
  json result = json::object();
  for (const GroupIndex child : group.children) result["children"].push_back(inventory.groups()[child].name);
  if (index == 0) return result;  // every host is in a group below `all`
  for (const HostIndex host : group.hosts) result["hosts"].push_back(inventory.host_name(host));
  return result;
}

json variables_json(const Inventory& inventory, HostIndex host) {
  json result = json::object();
  for (const auto& [name, variable] : inventory.variables(host))
    if (!std::binary_search(kInternal.begin(), kInternal.end(), name))
      result[name] = to_json(*variable.value, inventory.schema());
  return result;
}

}  // namespace

std::string json_text(const yaml::Node& value, yaml::Schema schema) {
  return to_json(value, schema).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string ansible_json(const Inventory& inventory) {
  json document = json::object();
  for (GroupIndex group = 0; group < inventory.groups().size(); ++group)
    if (json object = group_json(inventory, group); !object.empty())
      document[inventory.groups()[group].name] = std::move(object);
  json variables = json::object();
  for (HostIndex host = 0; host < inventory.host_count(); ++host)
    if (json object = variables_json(inventory, host); !object.empty())
      variables[inventory.host_name(host)] = std::move(object);
  document["_meta"] = {{"hostvars", std::move(variables)}};
  return document.dump(4, ' ', false, json::error_handler_t::replace);
}

}  // namespace muster::inventory
