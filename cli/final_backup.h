// The last backup of a machine that is being retired: muster-backup as a child, which has the repository. Blocks until
// it has ended.
#pragma once

#include <string>
#include <vector>

#include "base/context.h"

namespace muster::cli {

// What it warns of is a warning. Throws base::Error with the last line it wrote on standard error where it did not end
// well, {cancelled}: it is told to stop, and given a while to undo what it began.
void run_final_backup(const base::Context& ctx, const std::vector<std::string>& argv);

}  // namespace muster::cli
