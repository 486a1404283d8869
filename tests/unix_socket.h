// Whether somebody listens on a socket of the file system: its file is there before that.
#pragma once

#include <string>

#include <sys/socket.h>
#include <sys/un.h>

#include "base/unique_fd.h"

namespace muster::tests {

inline bool is_listened_on(const std::string& path) {
  const base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace muster::tests
