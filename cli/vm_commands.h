// The verbs of `muster vm`, by topic. Each takes the words after the verb and returns the exit status.
#pragma once

#include <string>
#include <vector>

#include "cli/hypervisor_workers.h"
#include "cli/program.h"

namespace muster::cli {

struct VmCommand {
  const Program& program;
  HypervisorWorkers& workers;
  std::string verb;
  std::vector<std::string> words;  // after the verb

  // The one word there must be. Throws base::Error{usage} naming the verb's arguments.
  const std::string& only_word() const;
};

int vm_list(const VmCommand& command);
int vm_info(const VmCommand& command);
int vm_xml(const VmCommand& command);
// start, stop, reboot, reset, pause, resume, save, wait, autostart
int vm_life(const VmCommand& command);
int vm_set(const VmCommand& command);
int vm_limit(const VmCommand& command);
// attach, detach, media
int vm_devices(const VmCommand& command);
int vm_snapshot(const VmCommand& command);

// --yes, or a terminal that says so. Throws base::Error{refused} otherwise.
void confirm(const Program& program, const std::string& question);

}  // namespace muster::cli
