// What follows from all sources together: every group descends from `all`, hosts without a group are in `ungrouped`,
// cycles are ruled out, groups get their depth and their place in the order of merging. Internal to inventory/.
#pragma once

#include "inventory/content.h"
#include "inventory/report.h"

namespace muster::inventory {

// Call once, after the last source and before group_vars/ and host_vars/ are read.
void reconcile(Inventory::Content& content, Report& report);

}  // namespace muster::inventory
