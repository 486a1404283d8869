// One TCP connection to a host: its addresses are tried in turn, each a little after the one before ("happy eyeballs",
// RFC 8305, with its recommended delay of 250 ms), and the first that answers wins. Any thread.
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "parallel-ssh/resolver.h"
#include "parallel-ssh/wait.h"

namespace muster::ssh {

// Connected, non-blocking, close-on-exec, TCP_NODELAY. `bind_address` may be empty.
// Throws base::Error{unreachable} with the reason of the last address that failed, {timeout}, {cancelled}.
base::UniqueFd dial(const std::vector<Address>& addresses, const std::string& bind_address, const Patience& patience);

}  // namespace muster::ssh
