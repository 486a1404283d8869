// An inventory that was not read from files: names alone, such as a hypervisor's domains, so that host patterns work on
// them too.
#pragma once

#include <string>
#include <vector>

#include "inventory/inventory.h"

namespace muster::inventory {

// All of them in `all` and `ungrouped`, without variables. `source` stands for the file they came from.
Inventory named_hosts(const std::vector<std::string>& names, const std::string& source);

}  // namespace muster::inventory
