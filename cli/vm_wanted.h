// The machines of commands that ask each hypervisor once about all it has (list, stats, top): which of them are wanted,
// and how their user calls them. Immutable once made, so thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/vm_commands.h"
#include "cli/vm_selection.h"

namespace muster::cli {

class WantedMachines {
 public:
  // How machines are called where no pattern says which are wanted: all of the hypervisors then are.
  enum class Names { domains, hosts };

  // Of the command's one word, a pattern, or of none. Throws what select_machines() throws.
  WantedMachines(const VerbCommand& command, Names names);

  const HostNames& hypervisors() const { return uris_; }
  // Those of an answer's `machines` that are wanted, each with its `uri`, and its `host` where that is another name.
  std::vector<nlohmann::json> among(const nlohmann::json& answer, const std::string& uri) const;
  // What the domain of a hypervisor is called; nullopt: it is not wanted.
  std::optional<std::string> name_on(const std::string& uri, const std::string& domain) const;
  // The names of those that are known to be on `uri`, apart from any answer.
  std::vector<std::string> known_on(const std::string& uri) const;
  // ... and are not among `machines`, which among() gave.
  std::vector<std::string> missing(const std::vector<nlohmann::json>& machines, const std::string& uri) const;

 private:
  void add(const VmTarget& target);

  bool all_ = true;
  HostNames uris_;
  std::map<std::pair<std::string, std::string>, std::string> names_;  // by hypervisor and domain
};

// The name that a machine of among() goes by.
std::string name_of(const nlohmann::json& machine);

}  // namespace muster::cli
