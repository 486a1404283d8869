#include "tests/e2e/loopback.h"

#include <atomic>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

namespace muster::e2e {
namespace {

sockaddr_in socket_address(const Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  if (::inet_pton(AF_INET, endpoint.address.c_str(), &address.sin_addr) != 1)
    throw base::Error(base::Code::usage, "not an address: " + endpoint.address);
  return address;
}

base::UniqueFd tcp_socket(int flags) {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!fd) base::throw_errno("make a socket");
  return fd;
}

base::UniqueFd bound_socket(const std::string& address) {
  auto fd = tcp_socket(0);
  const auto any_port = socket_address({.address = address, .port = 0});
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any_port), sizeof any_port) != 0)
    base::throw_errno("bind to " + address);
  return fd;
}

std::uint16_t port_of(const base::UniqueFd& fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) base::throw_errno("read a port");
  return ntohs(address.sin_port);
}

}  // namespace

std::string fresh_address() {
  static std::atomic<unsigned> counter{0};
  const auto pid = static_cast<unsigned>(::getpid());
  const auto third = pid / 250 % 250, fourth = pid % 250 + 2;
  return "127." + std::to_string(60 + counter++ % 150) + '.' + std::to_string(third) + '.' + std::to_string(fourth);
}

std::uint16_t free_port(const std::string& address) { return port_of(bound_socket(address)); }

Listener listen_on_fresh_address(int backlog) {
  Listener listener;
  listener.endpoint.address = fresh_address();
  listener.fd = bound_socket(listener.endpoint.address);
  if (::listen(listener.fd.get(), backlog) != 0) base::throw_errno("listen on " + listener.endpoint.address);
  listener.endpoint.port = port_of(listener.fd);
  return listener;
}

base::UniqueFd connect_to(const Endpoint& endpoint) {
  auto fd = tcp_socket(0);
  const auto address = socket_address(endpoint);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

BlackHole::BlackHole() : listener_(listen_on_fresh_address(0)) {
  const auto address = socket_address(listener_.endpoint);
  // A queue of length 0 takes one connection; the others see to it that also half-open ones find no place.
  for (int i = 0; i < 4; ++i) {
    fill_.push_back(tcp_socket(SOCK_NONBLOCK));
    ::connect(fill_.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
}

}  // namespace muster::e2e
