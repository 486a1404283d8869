#include "cli/clone_places.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/fleet_selection.h"
#include "cli/machine_source.h"
#include "clone/placement.h"
#include "inventory/connection.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::chrono::minutes kLookPatience{10};

struct Surveyed {
  std::string uri;
  json answer;
};

// URIs as they are; a pattern is of hosts whose hypervisors are meant.
std::vector<std::string> hypervisors_on(const Program& program) {
  const auto words = program.settings.list("on");
  if (words.empty()) return named_hypervisors(program);
  std::vector<std::string> uris;
  const auto add = [&](const std::string& uri) {
    if (std::find(uris.begin(), uris.end(), uri) == uris.end()) uris.push_back(uri);
  };
  for (const auto& word : words) {
    if (word.find(":/") != std::string::npos) {
      add(word);
      continue;
    }
    const auto inventory = load_inventory(program);
    for (const auto host : select_hosts(program, inventory, word).hosts)
      if (const auto uri = inventory::connection_facts(inventory, host).hypervisor)
        add(*uri);
      else
        throw Error(Code::usage, "--on " + word + ": host '" + inventory.host_name(host) + "' says no hypervisor");
  }
  return uris;
}

std::vector<Surveyed> survey(const VerbCommand& command, const clone::CloneRequest& request) {
  std::vector<Surveyed> all;
  for (const auto& uri : hypervisors_on(command.program))
    all.push_back({.uri = uri,
                   .answer = command.workers.call(
                       uri, "clone_survey", {{"master", request.master.name}, {"pool", request.pool}}, kLookPatience)});
  return all;
}

unsigned chosen_generation(const std::vector<Surveyed>& surveyed, const clone::MasterName& master) {
  unsigned newest = 0;
  std::string known;
  for (const auto& one : surveyed) {
    for (const auto& number : one.answer.at("generations"))
      if (!master.number || number == *master.number) newest = std::max(newest, number.get<unsigned>());
    for (const auto& name : one.answer.at("masters")) known += (known.empty() ? "" : ", ") + name.get<std::string>();
  }
  if (newest != 0) return newest;
  throw Error(
      Code::not_found,
      fmt::format(
          "no master '{}{}' there{}", master.name, master.number ? "@" + std::to_string(*master.number) : "",
          known.empty() ? ": muster master seal VM --name " + master.name + " makes one" : "; there are: " + known));
}

// Hosts that the inventory has already say where they are, and how many of the groups are where.
struct Declared {
  std::map<std::string, std::string> uri_of;
  std::map<std::string, std::size_t> of_the_groups;  // by URI
  std::map<std::string, std::string> with_address;   // its host
};

Declared declared(const Program& program) {
  Declared result;
  if (!uses_inventory(program.settings)) return result;
  const auto inventory = load_inventory(program);
  const auto groups = program.settings.list("group");
  for (inventory::HostIndex host = 0; host < inventory.host_count(); ++host) {
    const auto facts = inventory::connection_facts(inventory, host);
    if (facts.address) result.with_address[*facts.address] = facts.name;
    const auto uri = facts.hypervisor;
    if (!uri) continue;
    result.uri_of[inventory.host_name(host)] = *uri;
    const auto of_host = inventory.group_names(host);
    if (std::any_of(groups.begin(), groups.end(), [&](const auto& group) {
          return std::find(of_host.begin(), of_host.end(), group) != of_host.end();
        }))
      ++result.of_the_groups[*uri];
  }
  return result;
}

void check_addresses(const clone::CloneRequest& request, const Declared& inventory) {
  for (const auto& wanted : request.machines) {
    if (!wanted.fixed) continue;
    const std::string address = wanted.fixed->host();
    const auto holder = inventory.with_address.find(address);
    if (holder != inventory.with_address.end() && holder->second != wanted.name)
      throw Error(Code::refused, fmt::format("'{}' would get the address {}, which '{}' has in the inventory",
                                             wanted.name, address, holder->second));
  }
}

std::vector<clone::ToPlace> to_place(const clone::CloneRequest& request, const std::vector<Surveyed>& surveyed,
                                     const Declared& inventory) {
  std::map<std::string, std::string> there;
  for (const auto& one : surveyed)
    for (const auto& name : one.answer.at("machines").get<std::vector<std::string>>()) {
      const auto [entry, fresh] = there.try_emplace(name, one.uri);
      if (!fresh && std::any_of(request.machines.begin(), request.machines.end(),
                                [&](const auto& wanted) { return wanted.name == name; }))
        throw Error(Code::refused, fmt::format("'{}' is on {} and on {}", name, entry->second, one.uri));
    }
  std::vector<clone::ToPlace> machines;
  for (const auto& wanted : request.machines) {
    clone::ToPlace machine{.name = wanted.name};
    const auto found = there.find(wanted.name);
    const auto said = inventory.uri_of.find(wanted.name);
    if (found != there.end()) machine.uri = found->second;
    if (said != inventory.uri_of.end()) {
      if (machine.uri && *machine.uri != said->second)
        throw Error(Code::refused,
                    fmt::format("'{}' is on {}, and the inventory says {}", wanted.name, *machine.uri, said->second));
      machine.uri = said->second;
    }
    machines.push_back(std::move(machine));
  }
  return machines;
}

bool has(const json& list, const json& item) { return std::find(list.begin(), list.end(), item) != list.end(); }

// Two masters of one name would make a fleet of two kinds.
void check_one_master(const std::vector<Surveyed>& surveyed, const std::string& master, unsigned generation) {
  const std::string number = std::to_string(generation);
  const Surveyed* first = nullptr;
  for (const auto& one : surveyed) {
    const auto& digests = one.answer.at("digests");
    if (!digests.contains(number)) continue;
    if (first != nullptr && first->answer["digests"][number] != digests[number])
      throw Error(Code::refused, fmt::format("the master {}@{} of {} is another one than that of {}: seal one of them "
                                             "under another name, or name the hypervisors with --on",
                                             master, number, one.uri, first->uri));
    if (first == nullptr) first = &one;
  }
}

std::uint64_t memory_of_master(const std::vector<Surveyed>& surveyed) {
  std::uint64_t most = 0;
  for (const auto& one : surveyed) most = std::max(most, one.answer.at("memory_bytes").get<std::uint64_t>());
  return most;
}

}  // namespace

Placement place_clones(const VerbCommand& command, const clone::CloneRequest& request) {
  const auto surveyed = survey(command, request);
  Placement placement{
      .places = {}, .owners = {}, .generation = chosen_generation(surveyed, request.master), .macs = {}};
  check_one_master(surveyed, request.master.name, placement.generation);
  const auto inventory = declared(command.program);
  check_addresses(request, inventory);
  std::vector<clone::Place> places;
  for (const auto& one : surveyed) {
    const auto group = inventory.of_the_groups.find(one.uri);
    places.push_back({.uri = one.uri,
                      .has_master = has(one.answer.at("generations"), placement.generation),
                      .free_memory_bytes = one.answer.at("free_memory_bytes"),
                      .free_disk_bytes = one.answer.at("free_disk_bytes"),
                      .of_the_group = group == inventory.of_the_groups.end() ? 0 : group->second});
    if (places.back().has_master) placement.owners.push_back(one.uri);
    for (const auto& mac : one.answer.at("macs")) placement.macs.insert(mac.get<std::string>());
  }
  const auto spread = command.program.settings.flag("spread") ? clone::Spread::yes : clone::Spread::no;
  const auto chosen = clone::place(
      to_place(request, surveyed, inventory), places, spread,
      {.memory_bytes = request.memory_bytes.value_or(memory_of_master(surveyed)), .disk_bytes = request.size_bytes});
  for (std::size_t place = 0; place < places.size(); ++place) {
    PlacedClones placed{
        .uri = places[place].uri, .has_master = places[place].has_master, .all_there = true, .machines = {}};
    const auto& there = surveyed[place].answer.at("machines");
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      if (chosen[i] != place) continue;
      placed.machines.push_back(request.machines[i]);
      placed.all_there = placed.all_there && has(there, request.machines[i].name);
    }
    if (!placed.machines.empty()) placement.places.push_back(std::move(placed));
  }
  return placement;
}

}  // namespace muster::cli
