// muster backup restore POINT --as NAME, and --in-place: a whole machine.
#pragma once

#include "cli/backup_point.h"
#include "cli/program.h"

namespace muster::cli {

// Returns the exit status.
int restore_as_machine(const Program& program, const PointWord& word);

}  // namespace muster::cli
