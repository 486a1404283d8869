// muster inventory discover: an inventory of the machines that hypervisors have.
#pragma once

#include <string>
#include <vector>

#include "cli/program.h"

namespace muster::cli {

// `uris`: the hypervisors; none: those of the inventory, or the one connection. Returns the exit status.
int discover_inventory(const Program& program, const std::vector<std::string>& uris);

}  // namespace muster::cli
