// Where the groups and hosts of an inventory file are written: the index that edits of it start from. Only what stands
// there itself; what aliases and merge keys repeat has no place. Internal to inventory/. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inventory/mapping_edits.h"

namespace muster::inventory {

struct HostPlace {
  Place entry;
  std::string group;
  std::vector<std::string> names;  // one, or those of a range
  bool is_range = false;
};

struct EntryPlaces {
  std::unordered_map<std::string, std::vector<Place>> groups;                   // in the order written
  std::vector<HostPlace> hosts;                                                 // in the order written
  std::unordered_map<std::string_view, std::vector<const HostPlace*>> by_host;  // without ranges; views into `hosts`
};

// `root` must be of a text that loads, and live as long.
EntryPlaces entry_places(const yaml::SyntaxNode& root, Dialect dialect);

// The entry of `mapping`, which may be any node; of several with this key the last, which is what a loader takes.
std::optional<Place> find_entry(const yaml::SyntaxNode& mapping, std::string_view key);

}  // namespace muster::inventory
