// muster backup create --area: one more restore point of each of many areas.
#pragma once

#include "cli/backup_create_order.h"
#include "cli/backup_job.h"
#include "cli/program.h"

namespace muster::cli {

// Returns the exit status.
int create_of_areas(const Program& program, const CreateOrder& order, const JobRun& job);

// What its restore points are called where nobody says: `web01-srv-www`. Pure.
std::string area_point_name(const std::string& host, const std::string& path);

}  // namespace muster::cli
