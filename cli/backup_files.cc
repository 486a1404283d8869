#include "base/error.h"
#include "cli/backup_commands.h"

namespace muster::cli {

int backup_files(const BackupCommand&) { throw base::Error(base::Code::unsupported, "files: not there yet"); }

}  // namespace muster::cli
