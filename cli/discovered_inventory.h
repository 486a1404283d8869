// An inventory of machines that were found on hypervisors, as YAML that Ansible and muster read. Pure functions.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace muster::cli {

struct DiscoveredMachine {
  std::string uri;           // of its hypervisor
  std::string domain;        // there; any text
  std::string address = {};  // empty: not known
  std::string host = {};     // its name in the inventory, see name_hosts()
};

// Of the answer to the operation `list` (worker_list.cc) on the hypervisor `uri`.
std::vector<DiscoveredMachine> discovered_machines(const std::string& uri, const nlohmann::json& answer);

// Gives each machine the name of its domain where that can be a host's, with `_` for what cannot be in one, and a
// number after it where another machine came first.
void name_hosts(std::vector<DiscoveredMachine>& machines);

std::string inventory_yaml(const std::vector<DiscoveredMachine>& machines);

}  // namespace muster::cli
