#include "parallel-ssh/dialer.h"

#include <algorithm>
#include <cerrno>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/error.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::Code;
using base::Error;

constexpr std::chrono::milliseconds kAttemptDelay{250};

struct Attempt {
  base::UniqueFd fd;
  const Address* address;
};

std::string port_text(const Address& address) {
  char port[NI_MAXSERV] = "";
  ::getnameinfo(reinterpret_cast<const sockaddr*>(&address.storage), address.length, nullptr, 0, port, sizeof port,
                NI_NUMERICSERV);
  return port;
}

std::string refusal(const Address& address, int error) {
  return "cannot connect to " + address.text + " port " + port_text(address) + ": " + base::errno_text(error);
}

void bind_to(int fd, const std::string& bind_address, int family) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* list = nullptr;
  if (::getaddrinfo(bind_address.c_str(), nullptr, &hints, &list) != 0)
    throw Error(Code::usage, "bind address '" + bind_address + "' is not numeric or of another family");
  const int rc = ::bind(fd, list->ai_addr, list->ai_addrlen);
  ::freeaddrinfo(list);
  if (rc != 0) base::throw_errno("bind to " + bind_address);
}

// Returns 0 or the errno of a connection that failed at once.
int start(Attempt& attempt, const std::string& bind_address) {
  const int family = attempt.address->storage.ss_family;
  attempt.fd = base::UniqueFd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!attempt.fd) return errno;
  if (!bind_address.empty()) bind_to(attempt.fd.get(), bind_address, family);
  const int on = 1;
  ::setsockopt(attempt.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(attempt.fd.get(), reinterpret_cast<const sockaddr*>(&attempt.address->storage),
                attempt.address->length) == 0)
    return 0;
  return errno == EINPROGRESS ? 0 : errno;
}

int socket_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

// Waits for any attempt, until `until`; returns the one that connected. Failed ones are dropped and told in `reason`.
base::UniqueFd first_connected(std::vector<Attempt>& attempts, base::TimePoint until, const Patience& patience,
                               std::string& reason) {
  while (!attempts.empty()) {
    std::vector<pollfd> set;
    for (const auto& attempt : attempts) set.push_back({.fd = attempt.fd.get(), .events = POLLOUT, .revents = 0});
    set.push_back({.fd = patience.cancel->fd(), .events = POLLIN, .revents = 0});
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    const int n = ::poll(set.data(), set.size(), static_cast<int>(std::max<long>(left, 0)));
    if (patience.cancel->raised()) throw Error(Code::cancelled, "interrupted connecting");
    if (n <= 0) return {};
    for (std::size_t i = attempts.size(); i-- > 0;) {
      if (set[i].revents == 0) continue;
      const int error = socket_error(attempts[i].fd.get());
      // Accepted and dropped at once: what an overloaded sshd does. Its caller sees the end of the stream.
      if (error == 0 || error == ECONNRESET) return std::move(attempts[i].fd);
      reason = refusal(*attempts[i].address, error);
      attempts.erase(attempts.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return {};
}

}  // namespace

base::UniqueFd dial(const std::vector<Address>& addresses, const std::string& bind_address, const Patience& patience) {
  std::vector<Attempt> attempts;
  std::string reason = "no address to connect to";
  for (std::size_t next = 0; next < addresses.size() || !attempts.empty();) {
    if (next < addresses.size()) {
      Attempt attempt{{}, &addresses[next++]};
      if (const int error = start(attempt, bind_address); error == 0)
        attempts.push_back(std::move(attempt));
      else
        reason = refusal(*attempt.address, error);
    }
    const base::TimePoint until =
        next < addresses.size() ? std::min(Clock::now() + kAttemptDelay, patience.deadline) : patience.deadline;
    base::UniqueFd fd = first_connected(attempts, until, patience, reason);
    if (fd) return fd;
    if (Clock::now() >= patience.deadline)
      throw Error(Code::timeout, "timed out connecting to " + addresses.front().text);
  }
  throw Error(Code::unreachable, reason);
}

}  // namespace muster::ssh
