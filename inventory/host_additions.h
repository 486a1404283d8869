// Plans the edits of with_hosts(): which hosts are new in which group, and where each variable is set. New hosts are
// gathered by group, so that each `hosts:` is edited once. Internal to inventory/. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "inventory/edited_file.h"
#include "inventory/entries.h"
#include "inventory/mapping_edits.h"

namespace muster::inventory {

class HostAdditions {
 public:
  // `file` must live as long as this.
  explicit HostAdditions(const EditedFile& file) : file_(file), edits_(file.text(), file.name(), file.root()) {}

  // Throws base::Error{usage} for a name that cannot be.
  void want(const HostEntry& entry);
  // The new text. Call once, after all are wanted. Throws base::Error{usage} for what cannot be edited.
  std::string apply();
  const InventoryChange& change() const { return change_; }
  // What to write instead where the new text will not do.
  std::string by_hand() const;

 private:
  void plan(const std::string& name, const HostChange& wanted);
  void add_variables(const Place& host, std::vector<NewEntry> variables);
  std::vector<NewEntry> missing_variables(const std::string& name, const HostChange& wanted);
  bool change_in_place(const std::string& name, const Assignment& old, const EntryVariable& wanted);
  const HostPlace* own_place(const std::string& name, const HostChange& wanted) const;
  std::vector<std::string> new_groups_of(const std::string& name, const HostChange& wanted);
  bool is_member(const std::string& group, const std::string& name);
  void add_line(const std::string& group, NewEntry line);
  void add_to_group(const std::string& group, const std::vector<NewEntry>& lines, std::vector<NewEntry>& new_groups);
  void add_groups(const std::vector<NewEntry>& groups);

  const EditedFile& file_;
  MappingEdits edits_;
  InventoryChange change_;
  std::vector<std::string> order_;  // of hosts, as they were asked for
  std::vector<std::pair<std::string, std::vector<NewEntry>>> lines_;
  std::unordered_map<std::string, std::size_t> lines_of_;  // by group, an index into lines_
  std::unordered_map<std::string, std::unordered_set<std::string_view>> members_;
};

}  // namespace muster::inventory
