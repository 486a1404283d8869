// Folds host names back into ranges, in several dimensions, as ClusterShell's `nodeset -f` prints them. Pure functions.
#pragma once

#include <string>
#include <vector>

namespace muster::inventory {

// `web1, web2, web3, db1` -> `db1,web[1-3]`. Order and duplicates of `names` do not matter.
std::string fold_names(const std::vector<std::string>& names);

}  // namespace muster::inventory
