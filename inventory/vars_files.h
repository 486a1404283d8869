// The files in `group_vars/` and `host_vars/` beside an inventory source. Internal to inventory/. Blocks on the file
// system. Not thread-safe.
#pragma once

#include <string>

#include "inventory/content.h"
#include "inventory/report.h"

namespace muster::inventory {

// Reads the variables of all groups and hosts that `content` has from the two directories in `directory`.
void read_vars_files(Inventory::Content& content, Report& report, const std::string& directory);

// The names in a directory, sorted by their bytes. Throws base::Error{usage}.
std::vector<std::string> sorted_names(const std::string& directory);

}  // namespace muster::inventory
