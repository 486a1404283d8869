#include "cli/vm_selection.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/error.h"
#include "cli/environment.h"
#include "cli/fleet_selection.h"
#include "cli/ssh_place.h"
#include "inventory/close_names.h"
#include "inventory/named_hosts.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

// Its own, or the connection that was named beside the inventory.
std::optional<std::string> hypervisor_of(const Program& program, const inventory::ConnectionFacts& facts) {
  return facts.hypervisor ? facts.hypervisor : program.settings.text("connection");
}

VmTarget target_of(const Program& program, const inventory::Inventory& inventory, inventory::HostIndex host) {
  const auto facts = inventory::connection_facts(inventory, host);
  const auto uri = hypervisor_of(program, facts);
  if (!uri)
    throw Error(Code::usage, "host '" + facts.name +
                                 "' says no hypervisor: give it `hypervisor: URI` in the inventory, or name the "
                                 "connection with -c");
  return {.name = facts.name,
          .uri = *uri,
          .domain = facts.domain.value_or(facts.name),
          .address = facts.address.value_or(""),
          .port = facts.port.value_or(0)};
}

// `URI#DOMAIN`; nullopt: there is no `#`.
std::optional<VmTarget> direct_target(const std::string& text) {
  const std::size_t hash = text.find('#');
  if (hash == std::string::npos) return std::nullopt;
  if (hash == 0 || hash + 1 == text.size())
    throw Error(Code::usage, "'" + text + "': write URI#DOMAIN, as in qemu:///system#web01");
  return VmTarget{.name = text, .uri = text.substr(0, hash), .domain = text.substr(hash + 1)};
}

[[noreturn]] void throw_unnamed_inventory() {
  throw Error(Code::usage,
              "a command that changes machines wants its inventory named: -i FILE, MUSTER_INVENTORY, or -c URI");
}

[[noreturn]] void throw_unnamed_connection(const Settings& settings) {
  throw Error(Code::usage, "a command that changes machines wants its hypervisor named: -c URI (here: -c " +
                               connection_uri(settings) + "), or an inventory: -i FILE");
}

std::vector<VmTarget> from_inventory(const Program& program, const std::string& pattern) {
  const auto inventory = load_inventory(program);
  std::vector<VmTarget> targets;
  for (const auto host : select_hosts(program, inventory, pattern).hosts)
    targets.push_back(target_of(program, inventory, host));
  return targets;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The machines of a connection that a pattern is about. One in the trash, but for `restore`, only if it is named.
std::vector<std::string> names_for(const nlohmann::json& answer, const std::string& pattern, Purpose purpose) {
  auto names = answer.at("names").get<std::vector<std::string>>();
  const auto trashed = answer.at("trashed").get<std::vector<std::string>>();
  const bool living = has(names, pattern);
  const bool in_trash = has(trashed, pattern) || has(answer.at("trash_names"), pattern);
  if (purpose == Purpose::restore) names = trashed;
  const bool takes_trash = purpose == Purpose::restore || purpose == Purpose::retire;
  if (!living && in_trash && !takes_trash)
    throw Error(Code::refused, "'" + pattern + "' is in the trash: muster vm undelete brings it back");
  if (takes_trash && (living || in_trash) && !has(names, pattern)) names.push_back(pattern);
  return names;
}

// One name, and no pattern over several: those of a connection are in no groups but `all`.
bool is_plain(const std::string& pattern) {
  return pattern != "all" && pattern != "ungrouped" && pattern.find_first_of("*?[]!&:;,~@ ") == std::string::npos;
}

[[noreturn]] void throw_unknown(const std::vector<std::string>& names, const std::string& pattern,
                                const std::string& uri, Purpose purpose) {
  inventory::CloseNames close(pattern);
  for (const auto& name : names) close.consider(name);
  const std::string suggestion = close.suggestion();
  const char* list = purpose == Purpose::restore ? "trash list" : "list";
  throw Error(Code::usage, fmt::format("no machine '{}' {} {}{} muster vm {} -c {} shows what there is", pattern,
                                       purpose == Purpose::restore ? "in the trash of" : "on", uri,
                                       suggestion.empty() ? ":" : suggestion, list, uri));
}

std::vector<VmTarget> from_connection(const Program& program, HypervisorWorkers& workers, const std::string& pattern,
                                      Purpose purpose) {
  const std::string uri = connection_uri(program.settings);
  const auto answer = workers.call(uri, "names", nlohmann::json::object(), connect_patience(program.settings));
  const auto names = names_for(answer, pattern, purpose);
  std::vector<VmTarget> targets;
  // A name that a pattern would take for something else still means the domain of that name.
  if (std::find(names.begin(), names.end(), pattern) != names.end()) return {{pattern, uri, pattern}};
  if (is_plain(pattern) && !program.settings.flag("ansible-strict")) throw_unknown(names, pattern, uri, purpose);
  const auto domains = inventory::named_hosts(names, uri);
  for (const auto host : select_hosts(program, domains, pattern).hosts)
    targets.push_back({.name = domains.host_name(host), .uri = uri, .domain = domains.host_name(host)});
  return targets;
}

}  // namespace

VmSelection select_machines(const Program& program, HypervisorWorkers& workers, const std::string& pattern,
                            Purpose purpose) {
  const Settings& settings = program.settings;
  VmSelection selection;
  if (const auto direct = direct_target(pattern)) {
    selection.targets = {*direct};
  } else if (uses_inventory(settings)) {
    if (purpose != Purpose::look && !settings.given("inventory")) throw_unnamed_inventory();
    selection.targets = from_inventory(program, pattern);
  } else {
    if (purpose != Purpose::look && !settings.given("connection")) throw_unnamed_connection(settings);
    selection.targets = from_connection(program, workers, pattern, purpose);
  }
  for (const auto& target : selection.targets) selection.names.push_back(target.name);
  if (const auto expected = settings.integer("expect", 0, 1'000'000'000);
      expected && static_cast<std::size_t>(*expected) != selection.targets.size())
    throw Error(Code::refused, fmt::format("{} machines match, not the {} of --expect; nothing was done",
                                           selection.targets.size(), *expected));
  return selection;
}

std::string point_name(const VmTarget& target) {
  return target.name.find('#') == std::string::npos ? target.name : target.domain;
}

VmTarget machine_to_be(const Program& program, const std::string& name) {
  const Settings& settings = program.settings;
  if (const auto direct = direct_target(name)) return *direct;
  if (!uses_inventory(settings)) {
    if (!settings.given("connection")) throw_unnamed_connection(settings);
    return {.name = name, .uri = connection_uri(settings), .domain = name};
  }
  if (!settings.given("inventory")) throw_unnamed_inventory();
  const auto inventory = load_inventory(program);
  for (inventory::HostIndex host = 0; host < inventory.host_count(); ++host)
    if (inventory.host_name(host) == name) return target_of(program, inventory, host);
  throw Error(Code::usage,
              "the inventory has no host '" + name + "': add it, with `hypervisor: URI`, or use -c URI alone");
}

void check_is_on_this_host(const VmTarget& target) {
  if (is_of_this_host(target.uri)) return;
  throw Error(Code::unsupported,
              "'" + target.name + "' is on " + target.uri +
                  ": only machines of this host are backed up and restored so far; run muster there");
}

std::vector<std::string> all_hypervisors(const Program& program) {
  if (!uses_inventory(program.settings)) return {connection_uri(program.settings)};
  const auto inventory = load_inventory(program);
  std::vector<std::string> uris;
  for (inventory::HostIndex host = 0; host < inventory.host_count(); ++host)
    if (const auto uri = hypervisor_of(program, inventory::connection_facts(inventory, host));
        uri && std::find(uris.begin(), uris.end(), *uri) == uris.end())
      uris.push_back(*uri);
  if (uris.empty())
    throw Error(Code::usage, "no host of the inventory says its hypervisor: give them `hypervisor: URI`, or use -c");
  return uris;
}

std::vector<std::string> named_hypervisors(const Program& program) {
  const Settings& settings = program.settings;
  if (uses_inventory(settings) && !settings.given("inventory")) throw_unnamed_inventory();
  if (!uses_inventory(settings) && !settings.given("connection")) throw_unnamed_connection(settings);
  return all_hypervisors(program);
}

std::vector<VmTarget> inventory_machines(const Program& program) {
  if (!uses_inventory(program.settings)) return {};
  const auto inventory = load_inventory(program);
  std::vector<VmTarget> targets;
  for (inventory::HostIndex host = 0; host < inventory.host_count(); ++host)
    if (hypervisor_of(program, inventory::connection_facts(inventory, host)))
      targets.push_back(target_of(program, inventory, host));
  return targets;
}

}  // namespace muster::cli
