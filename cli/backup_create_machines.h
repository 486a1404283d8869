// muster backup create VM...: one more restore point of each of many machines.
#pragma once

#include "cli/backup_create_order.h"
#include "cli/backup_job.h"
#include "cli/program.h"

namespace muster::cli {

// Returns the exit status.
int create_of_machines(const Program& program, const CreateOrder& order, const JobRun& job);

}  // namespace muster::cli
