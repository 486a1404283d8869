#include "inventory/document_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "base/error.h"
#include "inventory/close_names.h"
#include "inventory/host_name.h"
#include "inventory/host_range.h"
#include "yaml/scalar.h"

namespace muster::inventory {
namespace {

using yaml::Node;

constexpr std::size_t kMaxHosts = 1'000'000;
constexpr std::array<std::string_view, 3> kGroupKeys = {"hosts", "children", "vars"};

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

std::string kind_of(const Node& node) {
  if (node.is_null()) return "nothing";
  if (node.is_mapping()) return "a mapping";
  return node.is_sequence() ? "a list" : in_quotes(node.text);
}

bool is_group_key(std::string_view key) {
  return std::find(kGroupKeys.begin(), kGroupKeys.end(), key) != kGroupKeys.end();
}

class Reader {
 public:
  Reader(Inventory::Content& content, Report& report, const yaml::Document& document)
      : content_(content), report_(report), document_(document) {}
  void read();

 private:
  Origin at(const Node& node) const { return {.file = document_.file, .at = node.at}; }
  yaml::Schema schema() const { return report_.strict() ? yaml::Schema::yaml_1_1 : yaml::Schema::core_1_2; }

  std::optional<GroupIndex> read_group(const Node& key, const Node& value, bool at_root);
  std::optional<GroupIndex> bad_group(const Node& key, const Node& value, bool at_root);
  bool check_name(const Node& key, const char* what);
  void read_key(GroupIndex group, const Entry& entry);
  void read_string(GroupIndex group, const Entry& entry);
  void unknown_key(GroupIndex group, const Entry& entry);
  void read_vars(GroupIndex group, const Node& vars);
  void read_priority(GroupIndex group, const Node& value);
  void read_child(GroupIndex group, const Entry& entry);
  void read_host(GroupIndex group, const Entry& entry);
  std::vector<std::string> expand(const Node& key, std::string_view names);
  void add_host(GroupIndex group, const std::string& name, const Entry& entry, const Entry* port);
  const Entry* port_entry(const Node& key, std::uint32_t port);
  bool check_host_value(const Entry& entry);
  bool is_falsy(const Node& value) const;

  Inventory::Content& content_;
  Report& report_;
  const yaml::Document& document_;
};

void Reader::read() {
  const Node& root = document_.root;
  const Origin where = root.at.line == 0 ? Origin{.file = document_.file, .at = {1, 1}} : at(root);
  if (root.is_null()) return report_.error(where, "the inventory is empty; write 'all:' with 'hosts:' below it");
  if (root.is_sequence())
    return report_.error(where, "an inventory is no list; write 'all:', below it 'hosts:', and each host as 'NAME:'");
  if (!root.is_mapping())
    return report_.error(where,
                         "an inventory is a mapping of groups, this is text; write 'all:', below it 'hosts:', "
                         "and each host as 'NAME:'");
  if (root.entries.empty()) return report_.error(where, "the inventory is empty; write 'all:' with 'hosts:' below it");
  if (const Node* plugin = root.find("plugin"); plugin != nullptr && !is_falsy(*plugin))
    return report_.error(at(*plugin),
                         "this configures an inventory plugin, which is not run; save what "
                         "'ansible-inventory --list --yaml' prints and use that file");
  for (const auto& [key, value] : root.entries) read_group(key, value, true);
}

bool Reader::is_falsy(const Node& value) const {
  if (value.is_mapping()) return value.entries.empty();
  if (value.is_sequence()) return value.items.empty();
  const yaml::Scalar scalar = yaml::resolve(value, schema());
  if (const auto* text = std::get_if<std::string>(&scalar)) return text->empty();
  if (const auto* flag = std::get_if<bool>(&scalar)) return !*flag;
  if (const auto* integer = std::get_if<std::int64_t>(&scalar)) return *integer == 0;
  if (const auto* number = std::get_if<double>(&scalar)) return *number == 0;
  return true;
}

bool Reader::check_name(const Node& key, const char* what) {
  if (key.is_null()) {
    report_.error(at(key), std::string("a ") + what + " without a name; write one before the colon");
    return false;
  }
  if (std::holds_alternative<std::string>(yaml::resolve(key, schema()))) return true;
  report_.error(at(key),
                std::string(what) + " name " + key.text + " is not text; put it in quotes: '" + key.text + "':");
  return false;
}

// The group's index, or nothing where it cannot be a group.
std::optional<GroupIndex> Reader::read_group(const Node& key, const Node& value, bool at_root) {
  if (!value.is_mapping() && !value.is_null()) return bad_group(key, value, at_root);
  if (!check_name(key, "group")) return std::nullopt;
  if (const auto problem = name_problem(key.text)) {
    report_.error(at(key), "group " + in_quotes(key.text) + ": " + *problem);
    return std::nullopt;
  }
  if (at_root && is_group_key(key.text)) {
    report_.mistake(at(key),
                    in_quotes(key.text) + " is a key of a group, not a group; write it below a group, e.g. 'all:'");
    if (!report_.strict()) return std::nullopt;
  }
  const GroupIndex group = content_.add_group(key.text, at(key));
  for (const auto& entry : value.entries) read_key(group, entry);
  return group;
}

std::optional<GroupIndex> Reader::bad_group(const Node& key, const Node& value, bool at_root) {
  const std::string text = "group " + in_quotes(key.text) + " is " + kind_of(value) +
                           "; write a mapping with 'hosts:', 'children:' or 'vars:' below it";
  // Ansible skips such a group, and then fails if it was to be a child that does not exist otherwise.
  const auto known = content_.group_index.find(key.text);
  if (at_root || known != content_.group_index.end())
    report_.mistake(at(value), text);
  else
    report_.error(at(value), text);
  if (known == content_.group_index.end() || !report_.strict()) return std::nullopt;
  return known->second;
}

void Reader::read_key(GroupIndex group, const Entry& entry) {
  const auto& [key, value] = entry;
  if (!is_group_key(key.text)) return unknown_key(group, entry);
  if (value.is_null()) return;
  if (value.is_scalar() && std::holds_alternative<std::string>(yaml::resolve(value, schema())))
    return read_string(group, entry);
  if (!value.is_mapping()) {
    const char* fix = key.text == "vars" ? "; write a mapping: 'NAME: VALUE' without dashes"
                                         : "; write each entry without a dash and end it with a colon: 'NAME:'";
    return report_.error(at(value), in_quotes(key.text) + " of group " + in_quotes(content_.groups[group].name) +
                                        " is " + kind_of(value) + fix);
  }
  if (key.text == "vars") return read_vars(group, value);
  for (const auto& one : value.entries) key.text == "children" ? read_child(group, one) : read_host(group, one);
}

// Ansible takes text for the one key of a mapping: `hosts: web1`, and also two lines without colons, as one name.
void Reader::read_string(GroupIndex group, const Entry& entry) {
  const auto& [key, value] = entry;
  report_.mistake(at(value), in_quotes(key.text) + " of group " + in_quotes(content_.groups[group].name) +
                                 " is the text " + in_quotes(value.text) +
                                 "; write each entry on a line of its own and end it with a colon: 'NAME:'");
  if (!report_.strict()) return;
  Node nothing;
  nothing.at = value.at;
  const Entry& made = content_.made_entries.emplace_back(Entry{.key = value, .value = nothing});
  if (key.text == "vars")
    content_.assign(content_.group_records[group].variables, made, document_.file);
  else if (key.text == "children")
    read_child(group, made);
  else
    read_host(group, made);
}

void Reader::unknown_key(GroupIndex group, const Entry& entry) {
  const auto& [key, value] = entry;
  CloseNames close(key.text);
  for (const auto name : kGroupKeys) close.consider(name);
  std::string fix = close.suggestion();
  if (fix.empty()) fix = "; only 'hosts', 'children' and 'vars' may stand here: put hosts below 'hosts:'";
  report_.mistake(at(key),
                  "unknown key " + in_quotes(key.text) + " in group " + in_quotes(content_.groups[group].name) + fix);
}

void Reader::read_vars(GroupIndex group, const Node& vars) {
  for (const auto& entry : vars.entries) {
    if (entry.key.is_null())
      report_.error(at(entry.key), "a variable without a name; write one before the colon");
    else if (entry.key.text == "ansible_group_priority")
      read_priority(group, entry.value);
    else
      content_.assign(content_.group_records[group].variables, entry, document_.file);
  }
}

void Reader::read_priority(GroupIndex group, const Node& value) {
  std::int64_t priority = 0;
  const yaml::Scalar scalar = value.is_scalar() ? yaml::resolve(value, schema()) : yaml::Scalar();
  if (const auto* integer = std::get_if<std::int64_t>(&scalar)) {
    priority = *integer;
  } else {
    const auto [end, error] = std::from_chars(value.text.data(), value.text.data() + value.text.size(), priority);
    if (value.text.empty() || error != std::errc() || end != value.text.data() + value.text.size())
      return report_.error(at(value), "ansible_group_priority is " + kind_of(value) + "; write a whole number");
  }
  content_.group_records[group].priority = priority;
}

void Reader::read_child(GroupIndex group, const Entry& entry) {
  const auto& [key, value] = entry;
  const auto child = read_group(key, value, false);
  if (!child) return;
  if (*child == group)
    return report_.error(at(key),
                         "group " + in_quotes(key.text) + " is a child of itself; remove it from its 'children:'");
  if (*child == kAll) return report_.error(at(key), "'all' holds every group and can be no child; remove it here");
  content_.add_child(group, *child, at(key));
}

void Reader::read_host(GroupIndex group, const Entry& entry) {
  const Node& key = entry.key;
  if (!check_name(key, "host") || !check_host_value(entry)) return;
  const HostKey split = split_host_key(key.text, report_.dialect());
  const bool bad_port = split.port && (*split.port == 0 || *split.port > 65535);
  if (bad_port)
    return report_.error(at(key),
                         "the port of " + in_quotes(key.text) + " is not between 1 and 65535; write one that is");
  const Entry* port = split.port ? port_entry(key, *split.port) : nullptr;
  for (const auto& name : expand(key, split.names)) {
    if (const auto problem = name_problem(name))
      return report_.error(at(key), "host " + in_quotes(name) + ": " + *problem);
    if (content_.hosts.size() >= kMaxHosts)
      throw base::Error(base::Code::usage,
                        yaml::located(document_.file, key.at, "more than 1000000 hosts; split the inventory"));
    add_host(group, name, entry, port);
  }
}

bool Reader::check_host_value(const Entry& entry) {
  const auto& [key, value] = entry;
  if (value.is_mapping() || value.is_null()) return true;
  if (report_.strict() && is_falsy(value)) return true;
  report_.error(at(value), "host " + in_quotes(key.text) + " is followed by " + kind_of(value) +
                               "; write its variables as a mapping: 'NAME: VALUE' on lines below it");
  return false;
}

std::vector<std::string> Reader::expand(const Node& key, std::string_view names) {
  if (names.find('[') == std::string_view::npos) return {std::string(names)};
  try {
    return expand_ranges(names, report_.strict() ? RangeSyntax::ansible : RangeSyntax::both);
  } catch (const base::Error& error) {
    report_.error(at(key), error.what());
    return {};
  }
}

const Entry* Reader::port_entry(const Node& key, std::uint32_t port) {
  Node name, value;
  name.text = "ansible_port";
  value.text = std::to_string(port);
  name.at = value.at = key.at;
  return &content_.made_entries.emplace_back(Entry{.key = std::move(name), .value = std::move(value)});
}

void Reader::add_host(GroupIndex group, const std::string& name, const Entry& entry, const Entry* port) {
  const std::size_t before = content_.hosts.size();
  const HostIndex host = content_.add_host(name, at(entry.key));
  const bool fresh = content_.hosts.size() > before;
  content_.add_member(group, host);
  Scope* scope = &content_.hosts[host].variables;
  if (port != nullptr && fresh)
    content_.assign(*scope, *port, document_.file);
  else if (port != nullptr)
    report_.warn(at(entry.key),
                 "port " + port->value.text + " of host " + in_quotes(name) +
                     " is ignored, as it counts only where the host is named first; write 'port:' below it");
  // Ansible looks for a group of this name first. In muster's dialect there is none (reconcile.h).
  if (const auto clash = content_.group_index.find(name); report_.strict() && clash != content_.group_index.end())
    scope = &content_.group_records[clash->second].variables;
  for (const auto& variable : entry.value.entries) {
    if (variable.key.is_null())
      report_.error(at(variable.key), "a variable without a name; write one before the colon");
    else
      content_.assign(*scope, variable, document_.file);
  }
}

}  // namespace

void read_inventory(Inventory::Content& content, Report& report, const yaml::Document& document) {
  Reader(content, report, document).read();
}

}  // namespace muster::inventory
