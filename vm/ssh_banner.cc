#include "vm/ssh_banner.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/quantity.h"
#include "base/unique_fd.h"
#include "vm/polling.h"

namespace muster::vm {
namespace {

using base::Clock;
using base::Code;
using base::Error;

// How long one try may take; a guest that just comes up drops what is sent to it.
constexpr std::chrono::milliseconds kTry{2000};
constexpr std::chrono::milliseconds kTick{100};
constexpr std::string_view kBanner = "SSH-";

struct FreeAddress {
  void operator()(addrinfo* info) const { ::freeaddrinfo(info); }
};

std::unique_ptr<addrinfo, FreeAddress> resolved(const SshEndpoint& endpoint) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(endpoint.address.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found) != 0)
    throw Error(Code::usage, "address '" + endpoint.address + "': write a numeric one, as 192.0.2.7:22");
  return std::unique_ptr<addrinfo, FreeAddress>(found);
}

// False at the deadline.
bool wait_ready(const base::Context& ctx, int fd, short events, base::TimePoint deadline) {
  while (Clock::now() < deadline) {
    ctx.check_stop();
    pollfd one{.fd = fd, .events = events, .revents = 0};
    if (::poll(&one, 1, static_cast<int>(kTick.count())) > 0) return true;
  }
  return false;
}

bool speaks(const base::Context& ctx, const addrinfo& address, base::TimePoint deadline) {
  const base::UniqueFd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) base::throw_errno("make a socket");
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) return false;
  if (!wait_ready(ctx, fd.get(), POLLOUT, deadline)) return false;
  std::string heard;
  while (heard.size() < kBanner.size()) {
    if (!wait_ready(ctx, fd.get(), POLLIN, deadline)) return false;
    std::array<char, 64> piece{};
    const ssize_t count = ::read(fd.get(), piece.data(), piece.size());
    if (count <= 0) return false;
    heard.append(piece.data(), static_cast<std::size_t>(count));
  }
  return heard.starts_with(kBanner);
}

}  // namespace

SshEndpoint parse_ssh_endpoint(const std::string& text) {
  SshEndpoint endpoint{.address = text};
  const std::size_t colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  const bool only_address = !bracketed && colon != text.find(':');
  if (colon != std::string::npos && !only_address && !text.ends_with(']')) {
    endpoint.address = text.substr(0, colon);
    endpoint.port = static_cast<std::uint16_t>(base::parse_integer(text.substr(colon + 1), 1, 65535, "port"));
  }
  if (bracketed && endpoint.address.ends_with(']'))
    endpoint.address = endpoint.address.substr(1, endpoint.address.size() - 2);
  resolved(endpoint);
  return endpoint;
}

bool wait_for_ssh_banner(const base::Context& ctx, const SshEndpoint& endpoint, base::TimePoint deadline) {
  const auto address = resolved(endpoint);
  return wait_until(ctx, deadline, [&] { return speaks(ctx, *address, std::min(deadline, Clock::now() + kTry)); });
}

}  // namespace muster::vm
