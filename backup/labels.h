// Tags and pins of restore points, which change while points do not: each change is an object, and what holds is all of
// them in order. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backup/repository.h"
#include "backup/restore_point.h"

namespace muster::backup {

struct LabelChange {
  std::vector<std::string> add{}, remove{};
  std::optional<bool> pin{};
  // When read: whose word it is; the owner's counts everywhere.
  Domain domain = kDefaultDomain;
  bool by_owner = true;
};

struct Labels {
  std::set<std::string> tags;
  bool pinned = false;  // forget never takes it
};

// 1 to 100 bytes without blanks, commas and control characters. Throws Error{usage}.
void check_tag(const std::string& tag);

void change_labels(const base::Context& ctx, const Repository& repository, const ObjectId& point,
                   const LabelChange& change);
// What was done to points, in order.
using LabelChanges = std::map<ObjectId, std::vector<LabelChange>>;
// Of all points. What cannot be read is warned of.
LabelChanges read_labels(const base::Context& ctx, const Repository& repository);
// What holds for one: the tags that it was made with, and all that was done since.
Labels labels_of(const RestorePoint& point, const LabelChanges& changes);
// As `change` would leave them.
Labels changed(Labels labels, const LabelChange& change);

}  // namespace muster::backup
