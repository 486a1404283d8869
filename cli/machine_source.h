// Where the machines of a command stand: in an inventory, or on one libvirt connection.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/program.h"
#include "inventory/inventory.h"

namespace muster::cli {

// The sources named by options, variable or configuration, else the first default file that exists.
// Empty if there is none.
std::vector<std::string> found_inventory_sources(const Settings& settings);
// The same. Throws base::Error{usage} if there is none.
std::vector<std::string> inventory_sources(const Settings& settings);
inventory::Dialect dialect_of(const Program& program);

// Of the inventory and the connection the one that was named nearest: by option, by variable, in the configuration;
// then an inventory that was found.
bool uses_inventory(const Settings& settings);

// The one named, else LIBVIRT_DEFAULT_URI, else that of this machine.
std::string connection_uri(const Settings& settings);
// How long a hypervisor may take to be reached.
std::chrono::milliseconds connect_patience(const Settings& settings);

enum class Unnamed {
  refused,           // the inventory or the connection must be named, or the inventory found
  local_hypervisor,  // else the domains of connection_uri(): for commands that only look
};
// Throws base::Error{usage} where there is neither, and what loading and libvirt say.
inventory::Inventory load_inventory(const Program& program, Unnamed unnamed = Unnamed::refused);

}  // namespace muster::cli
