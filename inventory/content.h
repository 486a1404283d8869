// What an Inventory holds inside: filled by the loader, constant afterwards, read by the queries. Internal to
// inventory/. Names and values are views into documents and deques that Content owns and that never move.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inventory/inventory.h"
#include "yaml/document.h"

namespace muster::inventory {

// Variable names are numbered once, so that a lookup compares integers and not text.
using NameId = std::uint32_t;
using yaml::Entry;

struct Assignment {
  NameId name = 0;
  const Entry* entry = nullptr;
  const std::string* file = nullptr;
};

// The assignments to one host or group at one step of precedence: by name, and for one name in the order written.
struct Scope {
  std::vector<Assignment> assignments;

  void sort();
  // The assignment that wins, or nullptr. Needs sort() before.
  const Assignment* find(NameId name) const;
};

struct HostRecord {
  std::string name;
  Origin first;                    // where it was named first
  std::vector<GroupIndex> groups;  // direct ones
  Scope variables;                 // in inventory files
};

struct GroupRecord {
  Origin first;
  std::vector<GroupIndex> parents;
  Scope variables;  // in inventory files
  std::int64_t priority = 1;
  std::uint32_t rank = 0;  // its place in the order of merging: depth, priority, name
};

// `group_vars/` and `host_vars/` beside one source.
struct VarsDirectory {
  std::unordered_map<GroupIndex, Scope> groups;
  std::unordered_map<HostIndex, Scope> hosts;
};

// A child relation as written, kept until cycles are ruled out.
struct ChildEdge {
  GroupIndex parent = 0;
  GroupIndex child = 0;
  Origin written;
};

inline constexpr GroupIndex kAll = 0;
inline constexpr GroupIndex kUngrouped = 1;

struct Inventory::Content {
  explicit Content(Dialect reading);

  Dialect dialect;
  std::deque<HostRecord> hosts;
  std::vector<Inventory::Group> groups;
  std::deque<GroupRecord> group_records;  // as `groups`
  std::unordered_map<std::string_view, HostIndex> host_index;
  std::unordered_map<std::string, GroupIndex> group_index;
  std::unordered_map<std::string_view, NameId> name_ids;
  std::vector<std::string_view> names;
  std::vector<VarsDirectory> vars_directories;  // in the order of precedence
  std::vector<ChildEdge> edges;

  std::vector<std::unique_ptr<const yaml::Document>> documents;
  std::deque<Entry> made_entries;  // variables that no document has as such: the port of `web1:2222`

  GroupIndex add_group(const std::string& name, const Origin& origin);
  HostIndex add_host(const std::string& name, const Origin& origin);
  void add_member(GroupIndex group, HostIndex host);
  void add_child(GroupIndex parent, GroupIndex child, const Origin& origin);
  // Numbers the name of a variable; `name` must live as long as this.
  NameId intern(std::string_view name);
  void assign(Scope& scope, const Entry& entry, const std::string& file);
};

// One step of precedence that concerns a host.
struct Layer {
  enum class Kind : std::uint8_t { group_in_inventory, group_vars, host_in_inventory, host_vars };
  const Scope* scope = nullptr;
  Kind kind = Kind::group_in_inventory;
  GroupIndex group = 0;  // for the group kinds
};

// The groups a host is in, ancestors included, `all` left out, in the order of merging.
std::vector<GroupIndex> merge_order(const Inventory::Content& content, HostIndex host);
// All layers of a host, lowest first.
std::vector<Layer> layers_of(const Inventory::Content& content, HostIndex host);
// The winning assignment of `name` over layers_of(), or nullptr.
const Assignment* find_in(const std::vector<Layer>& layers, const Inventory::Content& content, std::string_view name);

}  // namespace muster::inventory
