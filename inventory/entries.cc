#include "inventory/entries.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "inventory/edited_file.h"
#include "inventory/host_additions.h"
#include "inventory/mapping_edits.h"

namespace muster::inventory {
namespace {

[[noreturn]] void refuse(const std::string& text) { throw base::Error(base::Code::usage, text); }

// Whether the entry names only hosts that are to go.
bool goes(const HostPlace& place, const std::set<std::string>& names, const std::string& file) {
  const auto is_named = [&](const std::string& name) { return names.contains(name); };
  const auto named = std::find_if(place.names.begin(), place.names.end(), is_named);
  if (named == place.names.end()) return false;
  if (std::all_of(place.names.begin(), place.names.end(), is_named)) return true;
  refuse(yaml::located(file, place.entry.key().at,
                       "host '" + *named + "' cannot be removed from the range '" + place.entry.key().text +
                           "', which names others too; split the range by hand"));
}

std::string remove_entries(const EditedFile& file, const std::set<std::string>& names) {
  std::unordered_map<const yaml::SyntaxNode*, std::vector<std::size_t>> entries;  // by the mapping they are in
  for (const auto& place : file.places().hosts)
    if (goes(place, names, file.name())) entries[place.entry.mapping].push_back(place.entry.index);
  MappingEdits edits(file.text(), file.name(), file.root());
  for (const auto& [mapping, gone] : entries) edits.remove(*mapping, gone);
  return edits.apply();
}

}  // namespace

std::string with_hosts(const std::string& text, const std::string& file_name, const std::vector<HostEntry>& entries,
                       Dialect dialect) {
  const EditedFile file(text, file_name, dialect);
  HostAdditions additions(file);
  for (const auto& entry : entries) additions.want(entry);
  std::string result = additions.apply();
  if (const auto reason = file.difference(result, additions.change()))
    refuse(file_name + ": cannot be changed safely: " + *reason + "; write by hand: " + additions.by_hand());
  return result;
}

std::string without_hosts(const std::string& text, const std::string& file_name, const std::vector<std::string>& names,
                          Dialect dialect) {
  const EditedFile file(text, file_name, dialect);
  const InventoryChange change{.hosts = {}, .removed = {names.begin(), names.end()}};
  std::string result = remove_entries(file, change.removed);
  if (const auto reason = file.difference(result, change))
    refuse(file_name + ": cannot be changed safely: " + *reason + "; remove the hosts by hand");
  return result;
}

}  // namespace muster::inventory
