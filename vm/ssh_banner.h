// Waiting until an SSH server speaks: a port that only accepts may be a relay's, or a guest's that is not up.
// Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "base/context.h"

namespace muster::vm {

struct SshEndpoint {
  std::string address;  // numeric, IPv4 or IPv6
  std::uint16_t port = 22;
};

// `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT`. Throws base::Error{usage}.
SshEndpoint parse_ssh_endpoint(const std::string& text);

// Blocks until the server sends `SSH-`, trying again after each that does not. False at the deadline. Throws
// base::Error{cancelled}.
bool wait_for_ssh_banner(const base::Context& ctx, const SshEndpoint& endpoint, base::TimePoint deadline);

}  // namespace muster::vm
