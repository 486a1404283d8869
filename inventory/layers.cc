// The order in which variables win; muster-inventory(5) has it as a list.
#include <algorithm>

#include "inventory/content.h"

namespace muster::inventory {
namespace {

void add_layer(std::vector<Layer>& layers, const Scope& scope, Layer::Kind kind, GroupIndex group) {
  if (!scope.assignments.empty()) layers.push_back({.scope = &scope, .kind = kind, .group = group});
}

template <typename Index>
void add_file_layer(std::vector<Layer>& layers, const std::unordered_map<Index, Scope>& scopes, Index index,
                    Layer::Kind kind) {
  const auto found = scopes.find(index);
  if (found == scopes.end()) return;
  layers.push_back({.scope = &found->second, .kind = kind, .group = kind == Layer::Kind::group_vars ? index : 0});
}

}  // namespace

std::vector<GroupIndex> merge_order(const Inventory::Content& content, HostIndex host) {
  std::vector<GroupIndex> found;
  const auto add = [&](GroupIndex group) {
    if (group != kAll && std::find(found.begin(), found.end(), group) == found.end()) found.push_back(group);
  };
  for (const GroupIndex group : content.hosts[host].groups) add(group);
  for (std::size_t next = 0; next < found.size(); ++next)
    for (const GroupIndex parent : content.group_records[found[next]].parents) add(parent);
  std::sort(found.begin(), found.end(),
            [&](GroupIndex a, GroupIndex b) { return content.group_records[a].rank < content.group_records[b].rank; });
  return found;
}

// Within group_vars/ the source comes before the group: what a later source says of a parent wins over what an earlier
// one says of its child.
std::vector<Layer> layers_of(const Inventory::Content& content, HostIndex host) {
  using Kind = Layer::Kind;
  const std::vector<GroupIndex> groups = merge_order(content, host);
  std::vector<Layer> layers;
  add_layer(layers, content.group_records[kAll].variables, Kind::group_in_inventory, kAll);
  for (const GroupIndex group : groups)
    add_layer(layers, content.group_records[group].variables, Kind::group_in_inventory, group);
  for (const auto& directory : content.vars_directories)
    add_file_layer(layers, directory.groups, kAll, Kind::group_vars);
  for (const auto& directory : content.vars_directories)
    for (const GroupIndex group : groups) add_file_layer(layers, directory.groups, group, Kind::group_vars);
  add_layer(layers, content.hosts[host].variables, Kind::host_in_inventory, kAll);
  for (const auto& directory : content.vars_directories) add_file_layer(layers, directory.hosts, host, Kind::host_vars);
  return layers;
}

const Assignment* find_in(const std::vector<Layer>& layers, const Inventory::Content& content, std::string_view name) {
  const auto id = content.name_ids.find(name);
  if (id == content.name_ids.end()) return nullptr;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer)
    if (const Assignment* found = layer->scope->find(id->second)) return found;
  return nullptr;
}

}  // namespace muster::inventory
