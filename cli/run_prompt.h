// muster run --interactive: reads commands from standard input, a line each, and runs each as a `muster run` of its own
// with the same options, so that one command's Ctrl-C, deadlines and failures are over with that command.
#pragma once

#include "cli/program.h"

namespace muster::cli {

// Returns the last command's exit status at the end of input or at `exit`, 130 when interrupted between two commands.
// Throws base::Error{usage} for options that make no sense here or a pattern that matches nothing.
int prompt_for_commands(const Program& program);

}  // namespace muster::cli
