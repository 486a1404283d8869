// What an inventory's `ansible_ssh_common_args` and its kin ask of ssh, as far as it can be done without it. Pure
// functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parallel-ssh/ssh_config.h"

namespace muster::ssh {

struct SshArguments {
  std::optional<HostKeyPolicy> strict_host_key_checking;
  std::vector<std::string> known_hosts_files;
  std::optional<bool> identities_only;
  std::optional<bool> compression;
  // The first argument that only OpenSSH's client understands; empty if there is none. What concerns connections that
  // are shared or kept alive is neither here nor there: every run has its own.
  std::string needs_openssh;
};

// `arguments` are ssh's, as a shell would split them, without jump hosts.
SshArguments parse_ssh_arguments(const std::vector<std::string>& arguments);

}  // namespace muster::ssh
