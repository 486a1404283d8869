#include "cli/discovered_inventory.h"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace muster::cli {
namespace {

constexpr std::size_t kMaxNameBytes = 200;

// As a host may be called in every dialect, and nobody takes for a range, a pattern or an option.
std::string host_name_of(const std::string& domain) {
  std::string name = domain.substr(0, kMaxNameBytes);
  std::replace_if(
      name.begin(), name.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '-' && c != '_' && c != '.'; }, '_');
  if (name.empty() || std::isalnum(static_cast<unsigned char>(name.front())) == 0) name.insert(0, "vm");
  return name;
}

// JSON's strings are YAML's, too.
std::string in_quotes(const std::string& text) {
  // Not to be taken for a template, which Ansible would expand.
  const bool like_template = text.find("{{") != std::string::npos || text.find("{%") != std::string::npos;
  return (like_template ? "!unsafe " : "") +
         nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::vector<DiscoveredMachine> discovered_machines(const std::string& uri, const nlohmann::json& answer) {
  std::vector<DiscoveredMachine> machines;
  for (const auto& machine : answer.at("machines")) {
    const auto addresses = machine.value("addresses", nlohmann::json::array());
    machines.push_back({.uri = uri,
                        .domain = machine.value("name", ""),
                        .address = addresses.empty() ? "" : addresses.front().value("address", "")});
  }
  return machines;
}

void name_hosts(std::vector<DiscoveredMachine>& machines) {
  std::set<std::string> taken{"all", "ungrouped", "localhost"};
  for (auto& machine : machines) {
    const std::string name = host_name_of(machine.domain);
    machine.host = name;
    for (int number = 2; !taken.insert(machine.host).second; ++number)
      machine.host = fmt::format("{}-{}", name, number);
  }
}

std::string inventory_yaml(const std::vector<DiscoveredMachine>& machines) {
  if (machines.empty()) return "all:\n  hosts: {}\n";
  std::string text = "all:\n  hosts:\n";
  for (const auto& machine : machines) {
    text += fmt::format("    {}:\n      hypervisor: {}\n", in_quotes(machine.host), in_quotes(machine.uri));
    if (machine.domain != machine.host) text += fmt::format("      domain: {}\n", in_quotes(machine.domain));
    if (!machine.address.empty()) text += fmt::format("      ansible_host: {}\n", in_quotes(machine.address));
  }
  return text;
}

}  // namespace muster::cli
