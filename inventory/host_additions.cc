#include "inventory/host_additions.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "inventory/host_name.h"

namespace muster::inventory {
namespace {

[[noreturn]] void refuse(const std::string& text) { throw base::Error(base::Code::usage, text); }

void check_host_name(const Inventory::Content& content, const std::string& file, const std::string& name) {
  if (const auto problem = name_problem(name)) refuse(file + ": host '" + name + "': " + *problem);
  if (content.group_index.contains(name))
    refuse(file + ": host '" + name + "' has the name of a group; give it another name");
}

void check_group_name(const Inventory::Content& content, const std::string& file, const std::string& name) {
  static constexpr std::array<std::string_view, 3> kKeys = {"hosts", "children", "vars"};
  if (const auto problem = name_problem(name)) refuse(file + ": group '" + name + "': " + *problem);
  if (std::find(kKeys.begin(), kKeys.end(), name) != kKeys.end())
    refuse(file + ": '" + name + "' is a key of a group, not a group; name another group");
  if (content.host_index.contains(name))
    refuse(file + ": group '" + name + "' has the name of a host; give it another name");
}

void set_variable(std::vector<EntryVariable>& variables, const EntryVariable& variable) {
  const auto known = std::find_if(variables.begin(), variables.end(),
                                  [&](const EntryVariable& other) { return other.name == variable.name; });
  if (known == variables.end())
    variables.push_back(variable);
  else
    known->value = variable.value;
}

// How well new hosts fit there: best where hosts are.
int fitness(const Place& group) {
  const auto hosts = find_entry(group.value(), "hosts");
  if (hosts && hosts->value().is_mapping()) return 3;
  if (hosts) return 2;
  return group.value().is_mapping() ? 1 : 0;
}

}  // namespace

void HostAdditions::want(const HostEntry& entry) {
  const auto& content = file_.content();
  check_host_name(content, file_.name(), entry.name);
  const auto [place, fresh] = change_.hosts.try_emplace(entry.name);
  if (fresh) order_.push_back(entry.name);
  HostChange& wanted = place->second;
  for (const auto& variable : entry.variables) {
    if (variable.name.empty())
      refuse(file_.name() + ": a variable of host '" + entry.name + "' has no name; give it one");
    set_variable(wanted.variables, variable);
  }
  if (entry.group.empty()) return;
  check_group_name(content, file_.name(), entry.group);
  if (std::find(wanted.groups.begin(), wanted.groups.end(), entry.group) == wanted.groups.end())
    wanted.groups.push_back(entry.group);
}

bool HostAdditions::is_member(const std::string& group, const std::string& name) {
  const auto& content = file_.content();
  const auto [members, fresh] = members_.try_emplace(group);
  const auto known = content.group_index.find(group);
  if (fresh && known != content.group_index.end())
    for (const HostIndex host : content.groups[known->second].hosts) members->second.insert(content.hosts[host].name);
  return members->second.contains(name);
}

std::vector<std::string> HostAdditions::new_groups_of(const std::string& name, const HostChange& wanted) {
  std::vector<std::string> groups;
  for (const auto& group : wanted.groups)
    if (!is_member(group, name)) groups.push_back(group);
  return groups;
}

void HostAdditions::plan(const std::string& name, const HostChange& wanted) {
  std::vector<NewEntry> variables = missing_variables(name, wanted);
  const std::vector<std::string> new_groups = new_groups_of(name, wanted);
  const HostPlace* own = own_place(name, wanted);
  const bool own_is_asked_for =
      own != nullptr &&
      (new_groups.empty() || std::find(wanted.groups.begin(), wanted.groups.end(), own->group) != wanted.groups.end());
  if (own_is_asked_for) add_variables(own->entry, std::exchange(variables, {}));
  for (const auto& group : new_groups) {
    add_line(group, {.key = name, .value = std::nullopt, .below = std::exchange(variables, {})});
  }
  if (variables.empty()) return;
  // Only a range, an alias or a merge key names it.
  const HostRecord& host = file_.content().hosts[file_.content().host_index.find(name)->second];
  const std::string& group =
      wanted.groups.empty() ? file_.content().groups[host.groups.front()].name : wanted.groups.front();
  add_line(group, {.key = name, .value = std::nullopt, .below = std::move(variables)});
}

// A variable may be there and yet count for nothing, as something after it wins.
void HostAdditions::add_variables(const Place& host, std::vector<NewEntry> variables) {
  std::erase_if(variables, [&](const NewEntry& variable) {
    const auto written = find_entry(host.value(), variable.key);
    if (written) edits_.set_value(*written, *variable.value);
    return written.has_value();
  });
  if (!variables.empty()) edits_.add_below(host, variables);
}

// Those that nothing sets to the wanted value. Where the host itself sets another, that is changed at once.
std::vector<NewEntry> HostAdditions::missing_variables(const std::string& name, const HostChange& wanted) {
  const auto& content = file_.content();
  const auto host = content.host_index.find(name);
  std::vector<NewEntry> missing;
  for (const auto& variable : wanted.variables) {
    const Assignment* old =
        host == content.host_index.end() ? nullptr : last_assignment(content, host->second, variable.name);
    if (old != nullptr && reads_as(old->entry->value, variable.value, file_.schema())) continue;
    if (old != nullptr && change_in_place(name, *old, variable)) continue;
    missing.push_back({.key = variable.name, .value = variable.value, .below = {}});
  }
  return missing;
}

bool HostAdditions::change_in_place(const std::string& name, const Assignment& old, const EntryVariable& wanted) {
  const auto own = file_.places().by_host.find(name);
  if (own == file_.places().by_host.end()) return false;
  for (const HostPlace* place : own->second) {
    const auto written = find_entry(place->entry.value(), wanted.name);
    if (!written) continue;
    const yaml::Position there = written->key().at;
    const yaml::Position here = old.entry->key.at;
    if (there.line != here.line || there.column != here.column) continue;
    edits_.set_value(*written, wanted.value);
    return true;
  }
  return false;
}

// The last place of the host itself, one in a wanted group before all others; nullptr where there is none.
const HostPlace* HostAdditions::own_place(const std::string& name, const HostChange& wanted) const {
  const auto own = file_.places().by_host.find(name);
  if (own == file_.places().by_host.end()) return nullptr;
  const auto is_wanted = [&](const HostPlace* place) {
    return std::find(wanted.groups.begin(), wanted.groups.end(), place->group) != wanted.groups.end();
  };
  const auto best = std::find_if(own->second.rbegin(), own->second.rend(), is_wanted);
  return best == own->second.rend() ? own->second.back() : *best;
}

void HostAdditions::add_line(const std::string& group, NewEntry line) {
  const auto [place, fresh] = lines_of_.try_emplace(group, lines_.size());
  if (fresh) lines_.emplace_back(group, std::vector<NewEntry>());
  lines_[place->second].second.push_back(std::move(line));
}

void HostAdditions::add_to_group(const std::string& group, const std::vector<NewEntry>& lines,
                                 std::vector<NewEntry>& new_groups) {
  const NewEntry hosts{.key = "hosts", .value = std::nullopt, .below = lines};
  const auto places = file_.places().groups.find(group);
  if (places == file_.places().groups.end())
    return new_groups.push_back({.key = group, .value = std::nullopt, .below = {hosts}});
  // Of several equally good ones the last: what stands there wins over what ranges before it say.
  const Place& best = *std::max_element(places->second.rbegin(), places->second.rend(),
                                        [](const Place& a, const Place& b) { return fitness(a) < fitness(b); });
  const auto written = find_entry(best.value(), "hosts");
  if (written)
    edits_.add_below(*written, lines);
  else
    edits_.add_below(best, {hosts});
}

// Where `all` is the only group at the top and has others below it, new ones go there too.
void HostAdditions::add_groups(const std::vector<NewEntry>& groups) {
  if (groups.empty()) return;
  const yaml::SyntaxNode& root = file_.root();
  const auto all = root.children.size() == 2 ? find_entry(root, "all") : std::nullopt;
  const auto children = all ? find_entry(all->value(), "children") : std::nullopt;
  const bool are_below_all = children && children->value().is_mapping();
  return are_below_all ? edits_.add_below(*children, groups) : edits_.add_at_top(groups);
}

std::string HostAdditions::apply() {
  for (const auto& name : order_) {
    HostChange& wanted = change_.hosts[name];
    const bool nowhere = wanted.groups.empty() && !file_.content().host_index.contains(name);
    if (nowhere) wanted.groups.push_back("all");
    plan(name, wanted);
  }
  std::vector<NewEntry> new_groups;
  for (const auto& [group, lines] : lines_) add_to_group(group, lines, new_groups);
  add_groups(new_groups);
  return edits_.apply();
}

std::string HostAdditions::by_hand() const {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(order_.size(), kShown); ++i) {
    const HostChange& wanted = change_.hosts.at(order_[i]);
    NewEntry entry{.key = order_[i], .value = std::nullopt, .below = {}};
    for (const auto& [name, value] : wanted.variables)
      entry.below.push_back({.key = name, .value = value, .below = {}});
    text += (i == 0 ? "" : "; ") + flow_text(entry, ScalarStyle::flow);
    if (!wanted.groups.empty()) text += " below 'hosts:' of group '" + wanted.groups.front() + "'";
  }
  return order_.size() > kShown ? text + "; and " + std::to_string(order_.size() - kShown) + " more" : text;
}

}  // namespace muster::inventory
