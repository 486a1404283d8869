// TCP listeners on 127.0.0.1 for tests of what connects.
#pragma once

#include <array>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "parallel-ssh/resolver.h"

namespace muster::ssh {

inline Address loopback(std::uint16_t port, std::uint32_t host = INADDR_LOOPBACK) {
  Address address;
  auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(host);
  in.sin_port = htons(port);
  address.length = sizeof in;
  std::array<char, INET_ADDRSTRLEN> text{};
  address.text = ::inet_ntop(AF_INET, &in.sin_addr, text.data(), text.size());
  return address;
}

inline std::uint16_t port_of(const Address& address) {
  return ntohs(reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
}

// Listens on a free port.
class Listener {
 public:
  explicit Listener(int backlog) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), address_(loopback(0)) {
    auto* raw = reinterpret_cast<sockaddr*>(&address_.storage);
    if (::bind(fd_.get(), raw, address_.length) != 0 || ::listen(fd_.get(), backlog) != 0 ||
        ::getsockname(fd_.get(), raw, &address_.length) != 0)
      base::throw_errno("listen on loopback");
  }
  const Address& address() const { return address_; }
  // Nothing once stopped.
  base::UniqueFd accept() const { return base::UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  void stop() const { ::shutdown(fd_.get(), SHUT_RDWR); }
  void close() { fd_.reset(); }

 private:
  base::UniqueFd fd_;
  Address address_;
};

inline Address closed_port() {
  Listener listener(1);
  listener.close();
  return listener.address();
}

}  // namespace muster::ssh
