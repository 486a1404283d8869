#include "base/socket_pair.h"

#include <array>

#include <sys/socket.h>

#include "base/error.h"

namespace muster::base {

SocketPair make_socket_pair(int flags) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, ends.data()) != 0) throw_errno("make a socket pair");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace muster::base
