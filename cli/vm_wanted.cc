#include "cli/vm_wanted.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

namespace muster::cli {

using nlohmann::json;

WantedMachines::WantedMachines(const VerbCommand& command, Names names) {
  if (command.words.size() > 1) command.only_word();
  if (command.words.empty() && !command.program.settings.given("limit")) {
    uris_ = all_hypervisors(command.program);
    if (names == Names::hosts)
      for (const auto& target : inventory_machines(command.program)) add(target);
    return;
  }
  all_ = false;
  const std::string pattern = command.words.empty() ? "all" : command.words.front();
  for (const auto& target : select_machines(command.program, command.workers, pattern, Purpose::look).targets) {
    add(target);
    if (std::find(uris_.begin(), uris_.end(), target.uri) == uris_.end()) uris_.push_back(target.uri);
  }
}

void WantedMachines::add(const VmTarget& target) {
  // `URI#DOMAIN` is how it was asked for; the hypervisor is named beside it.
  const bool written_out = target.name == target.uri + "#" + target.domain;
  names_.emplace(std::pair(target.uri, target.domain), written_out ? target.domain : target.name);
}

std::vector<json> WantedMachines::among(const json& answer, const std::string& uri) const {
  std::vector<json> machines;
  for (json machine : answer.at("machines")) {
    const std::string domain = machine.value("name", "");
    const auto name = name_on(uri, domain);
    if (!name) continue;
    machine["uri"] = uri;
    if (*name != domain) machine["host"] = *name;
    machines.push_back(std::move(machine));
  }
  return machines;
}

std::optional<std::string> WantedMachines::name_on(const std::string& uri, const std::string& domain) const {
  if (const auto found = names_.find({uri, domain}); found != names_.end()) return found->second;
  return all_ ? std::optional(domain) : std::nullopt;
}

std::vector<std::string> WantedMachines::known_on(const std::string& uri) const {
  std::vector<std::string> known;
  for (const auto& [key, name] : names_)
    if (key.first == uri) known.push_back(name);
  return known;
}

std::vector<std::string> WantedMachines::missing(const std::vector<json>& machines, const std::string& uri) const {
  std::set<std::string> there;
  for (const auto& machine : machines) there.insert(name_of(machine));
  auto missing = known_on(uri);
  std::erase_if(missing, [&](const std::string& name) { return there.contains(name); });
  return missing;
}

std::string name_of(const json& machine) { return machine.value("host", machine.value("name", "")); }

}  // namespace muster::cli
