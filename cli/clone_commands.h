// The verbs of `muster clone`, by topic. Each returns the exit status.
#pragma once

#include "cli/verb_command.h"

namespace muster::cli {

int clone_create(const VerbCommand& command);
int clone_list(const VerbCommand& command);
int clone_verify(const VerbCommand& command);
int clone_flatten(const VerbCommand& command);
int clone_gc(const VerbCommand& command);

}  // namespace muster::cli
