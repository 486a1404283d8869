// The verbs of `muster vm`, by topic. Each takes the words after the verb and returns the exit status.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "cli/verb_command.h"

namespace muster::cli {

int vm_list(const VerbCommand& command);
int vm_info(const VerbCommand& command);
int vm_xml(const VerbCommand& command);
// stats, and top where it shows one table
int vm_stats(const VerbCommand& command);
int vm_top(const VerbCommand& command);
int vm_events(const VerbCommand& command);
int vm_edit(const VerbCommand& command);
int vm_rename(const VerbCommand& command);
int vm_console(const VerbCommand& command);
int vm_create(const VerbCommand& command);
// start, stop, reboot, reset, pause, resume, save, wait, autostart
int vm_life(const VerbCommand& command);
int vm_delete(const VerbCommand& command);
int vm_undelete(const VerbCommand& command);
int vm_trash(const VerbCommand& command);

// What is told of a machine that is gone for good, and whether images of it remain.
std::string gone_line(const VmTarget& target, const nlohmann::json& result);
bool something_remains(const nlohmann::json& result);
int vm_migrate(const VerbCommand& command);

int vm_set(const VerbCommand& command);
int vm_limit(const VerbCommand& command);
// attach, detach, media
int vm_devices(const VerbCommand& command);
int vm_snapshot(const VerbCommand& command);

}  // namespace muster::cli
