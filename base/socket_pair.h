// Two connected stream sockets, for two who talk within one process.
#pragma once

#include "base/unique_fd.h"

namespace muster::base {

struct SocketPair {
  UniqueFd one, other;
};

// Both are close-on-exec. `flags`: 0 or SOCK_NONBLOCK, of both. Throws Error{io}.
SocketPair make_socket_pair(int flags = 0);

}  // namespace muster::base
