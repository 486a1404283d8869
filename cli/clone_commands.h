// The verbs of `muster clone`, by topic. Each returns the exit status.
#pragma once

#include "cli/verb_command.h"

namespace muster::cli {

int clone_create(const VerbCommand& command);

}  // namespace muster::cli
