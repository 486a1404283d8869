// Whether an edited inventory file says what it said before and the wanted changes, and nothing else: compared by what
// the loader reads, not by text. Internal to inventory/. Pure functions.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "inventory/content.h"
#include "inventory/entries.h"

namespace muster::inventory {

// What is wanted of one host.
struct HostChange {
  std::vector<std::string> groups;       // it is in these directly
  std::vector<EntryVariable> variables;  // with these as they were given, without duplicates
};

struct InventoryChange {
  std::map<std::string, HostChange> hosts;  // added or changed
  std::set<std::string> removed;
};

// Whether the loader reads `value` for `node`. An integer may be written as text.
bool reads_as(const yaml::Node& node, const EntryValue& value, yaml::Schema schema);

// What sets `name` for the host, by file order alone; nullptr if nothing does. Linear in the host's variables.
const Assignment* last_assignment(const Inventory::Content& content, HostIndex host, std::string_view name);

// What `after` has otherwise than `before` with `change`; nothing where all is as wanted. Both as read, before what
// follows from all sources together. A new group may be the child of `all`.
std::optional<std::string> unwanted_difference(const Inventory::Content& before, const Inventory::Content& after,
                                               const InventoryChange& change);

}  // namespace muster::inventory
