// How the worker of a backup is started on another hypervisor's host: the muster that is there, or a copy of this one.
// Blocks on SSH.
#pragma once

#include <string>

#include "base/context.h"
#include "cli/ssh_place.h"

namespace muster::cli {

// The command for a login shell. `path`: of muster there.
std::string installed_worker(const std::string& path);

// Copies the worker's programs there, into `~/.cache/muster` or `$XDG_CACHE_HOME/muster`, unless just these are there:
// a directory for each version, by their digest, made whole or not at all, and old ones removed. Libraries do not go
// along. Returns the command. Throws base::Error{unreachable, io, timeout}.
std::string copied_worker(const base::Context& ctx, const SshPlace& place);

}  // namespace muster::cli
