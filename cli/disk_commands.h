// The verbs of `muster disk`. Each returns the exit status.
#pragma once

#include "cli/verb_command.h"

namespace muster::cli {

int disk_info(const VerbCommand& command);
int disk_resize(const VerbCommand& command);

}  // namespace muster::cli
