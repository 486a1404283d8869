#include "tests/e2e/silent_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"

namespace muster::e2e {

SilentSocket::SilentSocket(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd_.get(), 8) != 0)
    base::throw_errno("listen on " + path);
}

}  // namespace muster::e2e
