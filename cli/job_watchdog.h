// The process that ends a backup job where nobody else does: `muster-hypervisor-worker --guard URI DOMAIN
// runs|stands MARK DIRECTORY...`. A worker starts one before it begins a job, and calls it off with a line once the job
// has ended. It ends the job when its worker is dead, when a scratch file's directory is nearly full, and when the
// guest stands still because there was no room; before, it says in a line why. The next backup of the machine takes it
// over. A libvirtd that hangs does not keep it from being called off.
#pragma once

#include <string>
#include <vector>

namespace muster::cli {

// Without what is known when the job begins, and comes after it: `stands` for a guest that stands still already, and is
// let alone, the mark (job_guard.h) and the directories of scratch files.
std::vector<std::string> job_watchdog_command(const std::string& uri, const std::string& domain);

// The watchdog's whole life, out of the words after `--guard`. Returns its exit status.
int guard_job(const std::vector<std::string>& words);

}  // namespace muster::cli
