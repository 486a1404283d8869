// The public SSH host keys of a guest, as its hypervisor lets them be read: nobody on the network can put others in
// their place. What comes from inside is the guest's own word all the same. Blocks; thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "virt/domain.h"

namespace muster::vm {

// Lines `TYPE BASE64`, sorted, at most kMaxHostKeys of them; what is no key is passed over.
inline constexpr std::size_t kMaxHostKeys = 16;

// What cloud-init leaves below /var/lib/cloud/instances/INSTANCE after its module `ssh`, whose own mark comes before
// its work: https://cloudinit.readthedocs.io/en/latest/explanation/boot.html.
inline constexpr std::array kMarksOfKeysMade{"sem/config_keys_to_console", "sem/config_scripts_user", "boot-finished"};

// Of the last block that a guest's cloud-init has told whole on a console, between its lines BEGIN and END SSH HOST KEY
// KEYS. Pure.
std::vector<std::string> host_keys_on_console(std::string_view text);
// Of all lines of files like /etc/ssh/ssh_host_ed25519_key.pub. Pure.
std::vector<std::string> host_keys_in(std::string_view text);

// Empty while no agent answers, or the guest has none yet. `instance`: of a seed; a guest with cloud-init has its own
// keys only once that is done with it, and those of its image before. Throws base::Error{unsupported} where the agent
// may not read files and run commands, {cancelled}.
std::vector<std::string> host_keys_by_agent(const base::Context& ctx, const virt::Domain& domain,
                                            const std::string& instance = "");

}  // namespace muster::vm
