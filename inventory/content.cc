#include "inventory/content.h"

#include <algorithm>

namespace muster::inventory {

void Scope::sort() {
  std::stable_sort(assignments.begin(), assignments.end(),
                   [](const Assignment& a, const Assignment& b) { return a.name < b.name; });
}

const Assignment* Scope::find(NameId name) const {
  const auto after = std::upper_bound(assignments.begin(), assignments.end(), name,
                                      [](NameId id, const Assignment& a) { return id < a.name; });
  if (after == assignments.begin() || std::prev(after)->name != name) return nullptr;
  return &*std::prev(after);
}

Inventory::Content::Content(Dialect reading) : dialect(reading) {
  add_group("all", {});
  add_group("ungrouped", {});
  add_child(kAll, kUngrouped, {});
}

GroupIndex Inventory::Content::add_group(const std::string& name, const Origin& origin) {
  const auto [place, fresh] = group_index.try_emplace(name, static_cast<GroupIndex>(groups.size()));
  if (fresh) {
    groups.push_back({.name = name, .children = {}, .hosts = {}, .depth = 0});
    group_records.push_back({.first = origin, .parents = {}, .variables = {}});
  }
  return place->second;
}

HostIndex Inventory::Content::add_host(const std::string& name, const Origin& origin) {
  if (const auto found = host_index.find(name); found != host_index.end()) return found->second;
  const auto index = static_cast<HostIndex>(hosts.size());
  hosts.push_back({.name = name, .first = origin, .groups = {}, .variables = {}});
  host_index.emplace(hosts.back().name, index);
  return index;
}

void Inventory::Content::add_member(GroupIndex group, HostIndex host) {
  auto& mine = hosts[host].groups;
  if (std::find(mine.begin(), mine.end(), group) != mine.end()) return;
  mine.push_back(group);
  groups[group].hosts.push_back(host);
}

void Inventory::Content::add_child(GroupIndex parent, GroupIndex child, const Origin& origin) {
  auto& parents = group_records[child].parents;
  if (std::find(parents.begin(), parents.end(), parent) != parents.end()) return;
  parents.push_back(parent);
  groups[parent].children.push_back(child);
  edges.push_back({.parent = parent, .child = child, .written = origin});
}

NameId Inventory::Content::intern(std::string_view name) {
  const auto [place, fresh] = name_ids.try_emplace(name, static_cast<NameId>(names.size()));
  if (fresh) names.push_back(name);
  return place->second;
}

void Inventory::Content::assign(Scope& scope, const Entry& entry, const std::string& file) {
  scope.assignments.push_back({.name = intern(entry.key.text), .entry = &entry, .file = &file});
}

}  // namespace muster::inventory
