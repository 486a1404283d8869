// What --dry-run shows of a verb of `muster vm`: which machine, and what would be done to it.
#pragma once

#include <string>

#include "cli/vm_commands.h"
#include "cli/vm_selection.h"

namespace muster::cli {

// `what`: for people and programs, as `stop`, or `set cpus 4, memory 2G`. Returns the exit status.
int show_plan(const VerbCommand& command, const VmSelection& selection, const std::string& what);

}  // namespace muster::cli
