// What another host's worker is asked for, as JSON between two processes of one version: remote_backup.h has the rest.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "backup/ids.h"
#include "cli/machine_point.h"

namespace muster::cli {

struct RemoteOrder {
  MachineOrder machine;
  MachineOptions options;
  std::vector<backup::ObjectId> history;  // points of the machine, by time
  std::chrono::milliseconds connect_patience{};
};

nlohmann::json to_json(const RemoteOrder& order);
// Throws base::Error{corrupt}, and what nlohmann-json throws.
RemoteOrder remote_order(const nlohmann::json& json);

}  // namespace muster::cli
