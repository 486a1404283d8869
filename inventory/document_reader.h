// Reads one inventory document into a Content: groups, hosts, children, variables. Knows nothing of files, of several
// sources, or of what follows from all of them together (reconcile.h). Internal to inventory/. Not thread-safe.
#pragma once

#include "inventory/content.h"
#include "inventory/report.h"
#include "yaml/document.h"

namespace muster::inventory {

// `document` must live as long as `content`.
void read_inventory(Inventory::Content& content, Report& report, const yaml::Document& document);

}  // namespace muster::inventory
