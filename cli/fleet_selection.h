// The hosts a command is about: which inventory is read, which of its hosts match, and how each is reached.
#pragma once

#include <string>
#include <vector>

#include "cli/machine_source.h"
#include "cli/program.h"
#include "inventory/connection.h"
#include "inventory/host_pattern.h"
#include "inventory/inventory.h"
#include "parallel-ssh/ssh_config.h"
#include "parallel-ssh/target_resolution.h"

namespace muster::cli {

// What `pattern` selects, and --limit leaves of it.
inventory::Selection select_hosts(const Program& program, const inventory::Inventory& inventory,
                                  const std::string& pattern);

// Throws base::Error{usage}, as file:line:column, for a pinned host key that is none.
void check_host_keys(const inventory::Inventory& inventory, inventory::HostIndex host);

class FleetSelection {
 public:
  // Throws base::Error{usage} when nothing matches or a host's variables make no sense, {refused} for --expect.
  FleetSelection(const Program& program, const std::string& pattern, Unnamed unnamed = Unnamed::refused);
  FleetSelection(const FleetSelection&) = delete;
  FleetSelection& operator=(const FleetSelection&) = delete;

  const std::vector<std::string>& names() const { return names_; }
  std::size_t size() const { return names_.size(); }
  ssh::Target target(std::size_t host) const;

 private:
  inventory::ConnectionFacts facts(std::size_t host) const;

  inventory::Inventory inventory_;
  inventory::Selection selection_;
  std::vector<std::string> names_;
  ssh::SshConfig config_;
  ssh::TargetResolution resolution_;
};

}  // namespace muster::cli
