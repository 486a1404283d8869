// The whole inventory as `ansible-inventory --list` prints it: one JSON document that Ansible and its friends read as
// a dynamic inventory. Pure functions.
#pragma once

#include <string>

#include "inventory/inventory.h"

namespace muster::inventory {

// Groups with `children` and `hosts`, merged variables of each host in `_meta.hostvars`; keys sorted, indented by four.
// Variables that Ansible keeps to itself (`inventory_hostname`, `groups`, ...) are left out, as it does.
std::string ansible_json(const Inventory& inventory);

// One value as JSON on one line.
std::string json_text(const yaml::Node& value, yaml::Schema schema);

}  // namespace muster::inventory
