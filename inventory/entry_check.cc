#include "inventory/entry_check.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "yaml/scalar.h"

namespace muster::inventory {
namespace {

using yaml::Node;

bool same_node(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.plain != b.plain || a.tag != b.tag || a.text != b.text) return false;
  const auto same_entry = [](const Entry& x, const Entry& y) {
    return same_node(x.key, y.key) && same_node(x.value, y.value);
  };
  return std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), same_node) &&
         std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(), same_entry);
}

bool reads_as_text(const Node& node, const std::string& text, yaml::Schema schema) {
  if (!node.is_scalar()) return false;
  const yaml::Scalar scalar = yaml::resolve(node, schema);
  const auto* read = std::get_if<std::string>(&scalar);
  return read != nullptr && *read == text;
}

bool reads_as_integer(const Node& node, std::int64_t integer, yaml::Schema schema) {
  if (!node.is_scalar()) return false;
  const yaml::Scalar scalar = yaml::resolve(node, schema);
  const auto* read = std::get_if<std::int64_t>(&scalar);
  return (read != nullptr && *read == integer) || node.text == std::to_string(integer);
}

using Values = std::map<std::string_view, const Node*>;

// The value of each variable that wins in this scope.
Values values_of(const Inventory::Content& content, const Scope& scope) {
  Values values;
  for (const auto& assignment : scope.assignments) values[content.names[assignment.name]] = &assignment.entry->value;
  return values;
}

bool same_values(const Values& a, const Values& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first && same_node(*x.second, *y.second); });
}

class Comparison {
 public:
  Comparison(const Inventory::Content& before, const Inventory::Content& after, const InventoryChange& change)
      : before_(before), after_(after), change_(change) {}

  std::optional<std::string> difference() const {
    if (auto found = hosts()) return found;
    for (const auto& host : before_.hosts)
      if (auto found = old_host(host)) return found;
    for (const auto& [name, wanted] : change_.hosts)
      if (auto found = changed_host(name, wanted)) return found;
    return groups();
  }

 private:
  yaml::Schema schema() const {
    return after_.dialect == Dialect::muster ? yaml::Schema::core_1_2 : yaml::Schema::yaml_1_1;
  }
  const HostRecord* record(const Inventory::Content& content, const std::string& name) const {
    const auto found = content.host_index.find(name);
    return found == content.host_index.end() ? nullptr : &content.hosts[found->second];
  }

  std::optional<std::string> hosts() const;
  std::optional<std::string> old_host(const HostRecord& host) const;
  std::optional<std::string> changed_host(const std::string& name, const HostChange& wanted) const;
  std::optional<std::string> groups() const;
  std::optional<std::string> old_group(GroupIndex before, GroupIndex after) const;
  std::optional<std::string> members(std::optional<GroupIndex> before, GroupIndex after,
                                     const std::unordered_set<std::string>& wanted) const;
  bool same_children(GroupIndex before, GroupIndex after) const;

  const Inventory::Content& before_;
  const Inventory::Content& after_;
  const InventoryChange& change_;
};

std::optional<std::string> Comparison::hosts() const {
  for (const auto& host : after_.hosts) {
    if (change_.removed.contains(host.name)) return "host '" + host.name + "' would stay";
    if (record(before_, host.name) == nullptr && !change_.hosts.contains(host.name))
      return "a host '" + host.name + "' would be added";
  }
  for (const auto& host : before_.hosts)
    if (record(after_, host.name) == nullptr && !change_.removed.contains(host.name))
      return "host '" + host.name + "' would go too";
  return std::nullopt;
}

// Variables of a host that are not asked for; those that are belong to changed_host().
std::optional<std::string> Comparison::old_host(const HostRecord& host) const {
  const HostRecord* now = record(after_, host.name);
  if (now == nullptr) return std::nullopt;
  Values old_values = values_of(before_, host.variables);
  Values new_values = values_of(after_, now->variables);
  if (const auto wanted = change_.hosts.find(host.name); wanted != change_.hosts.end())
    for (const auto& variable : wanted->second.variables) {
      old_values.erase(variable.name);
      new_values.erase(variable.name);
    }
  if (same_values(old_values, new_values)) return std::nullopt;
  return "variables of host '" + host.name + "' would change that are not to";
}

std::optional<std::string> Comparison::changed_host(const std::string& name, const HostChange& wanted) const {
  const HostRecord* now = record(after_, name);
  if (now == nullptr) return "host '" + name + "' would not be there";
  const Values values = values_of(after_, now->variables);
  for (const auto& variable : wanted.variables) {
    const auto value = values.find(variable.name);
    if (value == values.end() || !reads_as(*value->second, variable.value, schema()))
      return "'" + variable.name + "' of host '" + name + "' would have another value, from a range, an alias or a " +
             "merge key";
  }
  if (record(before_, name) == nullptr && values.size() != wanted.variables.size())
    return "host '" + name + "' would have other variables";
  return std::nullopt;
}

bool Comparison::same_children(GroupIndex before, GroupIndex after) const {
  std::vector<std::string> old_names, new_names;
  for (const GroupIndex child : before_.groups[before].children) old_names.push_back(before_.groups[child].name);
  for (const GroupIndex child : after_.groups[after].children) {
    const std::string& name = after_.groups[child].name;
    if (after == kAll && !before_.group_index.contains(name)) continue;
    new_names.push_back(name);
  }
  return old_names == new_names;
}

std::optional<std::string> Comparison::groups() const {
  std::map<std::string, std::unordered_set<std::string>> wanted;
  for (const auto& [name, host] : change_.hosts)
    for (const auto& group : host.groups) wanted[group].insert(name);
  for (const auto& [name, index] : before_.group_index)
    if (!after_.group_index.contains(name)) return "group '" + name + "' would go";
  for (const auto& [name, index] : after_.group_index) {
    const auto old = before_.group_index.find(name);
    const bool is_new = old == before_.group_index.end();
    if (is_new && !wanted.contains(name)) return "a group '" + name + "' would be added";
    if (is_new && !after_.groups[index].children.empty()) return "group '" + name + "' would have children";
    const std::optional<GroupIndex> before = is_new ? std::nullopt : std::optional(old->second);
    if (before)
      if (auto found = old_group(*before, index)) return found;
    if (auto found = members(before, index, wanted[name])) return found;
  }
  return std::nullopt;
}

std::optional<std::string> Comparison::old_group(GroupIndex before, GroupIndex after) const {
  const GroupRecord& old = before_.group_records[before];
  const GroupRecord& now = after_.group_records[after];
  const std::string name = "'" + before_.groups[before].name + "'";
  if (!same_children(before, after)) return "the children of group " + name + " would change";
  if (old.priority != now.priority || !same_values(values_of(before_, old.variables), values_of(after_, now.variables)))
    return "the variables of group " + name + " would change";
  return std::nullopt;
}

// The old ones in their order but for those removed, and `wanted` wherever they come.
std::optional<std::string> Comparison::members(std::optional<GroupIndex> before, GroupIndex after,
                                               const std::unordered_set<std::string>& wanted) const {
  std::vector<std::string> old_members, kept;
  if (before)
    for (const HostIndex host : before_.groups[*before].hosts)
      if (!change_.removed.contains(before_.hosts[host].name)) old_members.push_back(before_.hosts[host].name);
  const std::unordered_set<std::string_view> old_names(old_members.begin(), old_members.end());
  std::size_t found = 0;
  const std::string& group = after_.groups[after].name;
  for (const HostIndex host : after_.groups[after].hosts) {
    const std::string& name = after_.hosts[host].name;
    if (wanted.contains(name)) ++found;
    if (old_names.contains(name))
      kept.push_back(name);
    else if (!wanted.contains(name))
      return "host '" + name + "' would come into group '" + group + "'";
  }
  if (found != wanted.size()) return "a host would not be in group '" + group + "'";
  if (kept != old_members) return "the hosts of group '" + group + "' would change";
  return std::nullopt;
}

}  // namespace

bool reads_as(const Node& node, const EntryValue& value, yaml::Schema schema) {
  if (const auto* text = std::get_if<std::string>(&value)) return reads_as_text(node, *text, schema);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return reads_as_integer(node, *integer, schema);
  const auto& items = std::get<std::vector<std::string>>(value);
  return node.is_sequence() &&
         std::equal(node.items.begin(), node.items.end(), items.begin(), items.end(),
                    [&](const Node& item, const std::string& text) { return reads_as_text(item, text, schema); });
}

const Assignment* last_assignment(const Inventory::Content& content, HostIndex host, std::string_view name) {
  const auto id = content.name_ids.find(name);
  if (id == content.name_ids.end()) return nullptr;
  const auto& assignments = content.hosts[host].variables.assignments;
  const auto found =
      std::find_if(assignments.rbegin(), assignments.rend(), [&](const auto& a) { return a.name == id->second; });
  return found == assignments.rend() ? nullptr : &*found;
}

std::optional<std::string> unwanted_difference(const Inventory::Content& before, const Inventory::Content& after,
                                               const InventoryChange& change) {
  return Comparison(before, after, change).difference();
}

}  // namespace muster::inventory
