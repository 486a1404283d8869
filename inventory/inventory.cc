#include "inventory/inventory.h"

#include <algorithm>

#include "inventory/content.h"

namespace muster::inventory {

Inventory::Inventory(std::unique_ptr<const Content> content) : content_(std::move(content)) {}
Inventory::Inventory(Inventory&&) noexcept = default;
Inventory& Inventory::operator=(Inventory&&) noexcept = default;
Inventory::~Inventory() = default;

Dialect Inventory::dialect() const { return content_->dialect; }

yaml::Schema Inventory::schema() const {
  return content_->dialect == Dialect::muster ? yaml::Schema::core_1_2 : yaml::Schema::yaml_1_1;
}

std::size_t Inventory::host_count() const { return content_->hosts.size(); }
const std::string& Inventory::host_name(HostIndex host) const { return content_->hosts[host].name; }

std::optional<HostIndex> Inventory::find_host(std::string_view name) const {
  const auto found = content_->host_index.find(name);
  if (found == content_->host_index.end()) return std::nullopt;
  return found->second;
}

const std::vector<Inventory::Group>& Inventory::groups() const { return content_->groups; }

std::optional<GroupIndex> Inventory::find_group(std::string_view name) const {
  const auto found = content_->group_index.find(std::string(name));
  if (found == content_->group_index.end()) return std::nullopt;
  return found->second;
}

std::vector<HostIndex> Inventory::hosts_of(GroupIndex group) const {
  std::vector<bool> group_seen(content_->groups.size());
  std::vector<bool> host_seen(content_->hosts.size());
  std::vector<GroupIndex> queue{group};
  std::vector<HostIndex> found;
  group_seen[group] = true;
  for (std::size_t next = 0; next < queue.size(); ++next) {
    const Group& here = content_->groups[queue[next]];
    for (const HostIndex host : here.hosts) {
      if (!host_seen[host]) found.push_back(host);
      host_seen[host] = true;
    }
    for (const GroupIndex child : here.children) {
      if (!group_seen[child]) queue.push_back(child);
      group_seen[child] = true;
    }
  }
  return found;
}

std::vector<std::string> Inventory::group_names(HostIndex host) const {
  std::vector<std::string> names;
  for (const GroupIndex group : merge_order(*content_, host)) names.push_back(content_->groups[group].name);
  std::sort(names.begin(), names.end());
  return names;
}

Variables Inventory::variables(HostIndex host) const {
  Variables merged;
  for (const Layer& layer : layers_of(*content_, host))
    for (const Assignment& assignment : layer.scope->assignments)
      merged.insert_or_assign(std::string(content_->names[assignment.name]),
                              Variable{.value = &assignment.entry->value, .file = assignment.file});
  return merged;
}

std::optional<Variable> Inventory::variable(HostIndex host, std::string_view name) const {
  const Assignment* found = find_in(layers_of(*content_, host), *content_, name);
  if (found == nullptr) return std::nullopt;
  return Variable{.value = &found->entry->value, .file = found->file};
}

namespace {

std::string scope_name(const Inventory& inventory, HostIndex host, const Layer& layer) {
  switch (layer.kind) {
    case Layer::Kind::group_in_inventory:
      return "group " + inventory.groups()[layer.group].name + " in the inventory";
    case Layer::Kind::group_vars:
      return "group_vars/" + inventory.groups()[layer.group].name;
    case Layer::Kind::host_in_inventory:
      return "host " + inventory.host_name(host) + " in the inventory";
    case Layer::Kind::host_vars:
      break;
  }
  return "host_vars/" + inventory.host_name(host);
}

}  // namespace

std::vector<Setting> Inventory::explain(HostIndex host, std::string_view name) const {
  std::vector<Setting> settings;
  for (const Layer& layer : layers_of(*content_, host))
    for (const Assignment& assignment : layer.scope->assignments)
      if (content_->names[assignment.name] == name)
        settings.push_back({.origin = {.file = *assignment.file, .at = assignment.entry->key.at},
                            .scope = scope_name(*this, host, layer),
                            .value = &assignment.entry->value});
  return settings;
}

}  // namespace muster::inventory
