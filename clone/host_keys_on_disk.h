// SSH host keys in a guest's disk: read by their private halves, which are what its server will show, and made for a
// guest that would else run with its master's, or with none, as Debian's sshd makes none when it starts. Private halves
// go nowhere else.
#pragma once

#include <string>
#include <vector>

#include "base/context.h"
#include "clone/disk_reach.h"
#include "clone/guest_tree.h"
#include "virt/connection.h"
#include "virt/domain.h"

namespace muster::clone {

// The public halves as lines `TYPE BASE64`, of OpenSSH where its settings say, and of dropbear in its usual place.
std::vector<std::string> host_keys_on_disk(GuestTree& guest);
// The same of a machine that is off. `instance`: of its seed, as vm::host_keys_by_agent() has it. Throws as
// disk::open_guest_root() and `reach`.
std::vector<std::string> host_keys_on_disk(const base::Context& ctx, const virt::Connection& connection,
                                           const virt::Domain& domain, const std::string& instance,
                                           const DiskReach& reach);

// Made anew, of the kinds that OpenSSH or dropbear has there already; of ed25519 where OpenSSH has none. Returns what
// host_keys_on_disk() does from then on.
std::vector<std::string> renew_host_keys(GuestTree& guest, const std::string& host_name);

}  // namespace muster::clone
