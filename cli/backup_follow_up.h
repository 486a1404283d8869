// What follows new restore points, as `backup create` was asked: old ones let go, room given back, a part of the data
// read. Main's thread alone.
#pragma once

#include <set>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "backup/restore_point.h"
#include "cli/backup_create_order.h"
#include "cli/backup_repository.h"
#include "cli/program.h"

namespace muster::cli {

// Before anything is made: whether all of it can be done. Throws base::Error{usage, key}.
void check_follow_up(const Program& program, const OpenedRepository& opened, const CreateOrder& order);

struct FollowUp {
  std::set<std::string> names;  // of the machines
  // With --dry-run: points that there would be.
  std::vector<backup::ListedPoint> planned = {};
};
// Adds fields to the summary. Returns the exit status: damage, or all worked.
int follow_up(const Program& program, const OpenedRepository& opened, const CreateOrder& order, const FollowUp& what,
              nlohmann::json& summary);

}  // namespace muster::cli
