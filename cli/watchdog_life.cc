#include "cli/watchdog_life.h"

#include <fstream>

#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "vm/watchdog.h"

namespace muster::cli {
namespace {

// A service that is stopped, or a session that ends, is killed by its control group: into the root of systemd's
// hierarchy, where we may. Elsewhere it stays as it is.
void leave_control_group() {
  for (const char* root :
       {"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/systemd/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs"}) {
    std::ofstream procs(root, std::ios::in);  // never made
    if (procs) procs << ::getpid() << std::flush;
  }
}

}  // namespace

bool go_on_alone() {
  // The group that was made for it ends with whoever started it.
  if (::fork() != 0) return false;
  ::setsid();
  leave_control_group();
  return true;
}

bool say_watching() {
  try {
    base::write_all(STDOUT_FILENO, vm::kWatching);
    return true;
  } catch (const base::Error&) {
    return false;
  }
}

}  // namespace muster::cli
