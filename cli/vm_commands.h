// The verbs of `muster vm`, by topic. Each takes the words after the verb and returns the exit status.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/hypervisor_workers.h"
#include "cli/program.h"
#include "cli/vm_selection.h"

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
// stats, and top where it shows one table
int vm_stats(const VmCommand& command);
int vm_top(const VmCommand& command);
int vm_events(const VmCommand& command);
int vm_edit(const VmCommand& command);
int vm_rename(const VmCommand& command);
int vm_console(const VmCommand& command);
int vm_create(const VmCommand& command);
// start, stop, reboot, reset, pause, resume, save, wait, autostart
int vm_life(const VmCommand& command);
int vm_delete(const VmCommand& command);
int vm_undelete(const VmCommand& command);
int vm_trash(const VmCommand& command);

// What is told of a machine that is gone for good, and whether images of it remain.
std::string gone_line(const VmTarget& target, const nlohmann::json& result);
bool something_remains(const nlohmann::json& result);
int vm_migrate(const VmCommand& command);

// The one machine that `pattern` means. Throws base::Error{usage} for several, and what select_machines() throws.
VmTarget one_machine(const VmCommand& command, const std::string& pattern, Purpose purpose);
int vm_set(const VmCommand& command);
int vm_limit(const VmCommand& command);
// attach, detach, media
int vm_devices(const VmCommand& command);
int vm_snapshot(const VmCommand& command);

// --yes, or a terminal that says so. Throws base::Error{refused} otherwise.
void confirm(const Program& program, const std::string& question);

}  // namespace muster::cli
