// Host keys that somebody vouched for, written down: in known_hosts under the machine's own identity, its UUID, and not
// its address, which the next machine may have (HostKeyAlias of ssh_config(5) asks for it). Blocks; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "cli/program.h"

namespace muster::cli {

// `keys`: lines `TYPE BASE64`; whatever else stood there for the same UUID goes. In the first file of --known-hosts, or
// the user's own. Throws base::Error{io, no_space}.
void pin_in_known_hosts(const Program& program, const std::string& uuid, const std::vector<std::string>& keys);

// The text with that done: pure.
std::string with_pins(const std::string& text, const std::string& uuid, const std::vector<std::string>& keys);

}  // namespace muster::cli
