// The other carrier: OpenSSH's own client, one process a host, for hosts whose configuration asks for what libssh
// lacks, and for interactive shells. The user's ssh_config stays in force; what options and inventory say is put on its
// command line.
#pragma once

#include <string>
#include <vector>

#include "base/context.h"
#include "parallel-ssh/remote_command.h"
#include "parallel-ssh/target.h"

namespace muster::ssh {

// `ssh OPTIONS... HOST`, to which a command may be added. `batch`: never asks anything. Keys pinned in the inventory
// are handed to it with KnownHostsCommand (OpenSSH 8.5). Throws base::Error{unsupported} for a pin that is only a
// fingerprint.
enum class Interaction { batch, interactive };
std::vector<std::string> openssh_arguments(const Target& target, Interaction interaction);

// As run_over_session, from the connecting on, which is bounded by the target's connect timeout. Throws
// base::Error{unreachable} only while nothing can have been started, {key} when the client cannot log in or does not
// know the host's key, {io} when its connection is lost later.
CommandOutcome run_over_openssh(const Target& target, const CommandRequest& request, OutputSink& sink,
                                const CancelSignal& abort);

}  // namespace muster::ssh
