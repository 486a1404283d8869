#include "tests/e2e/bad_peer.h"

#include <string>
#include <string_view>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace muster::e2e {
namespace {

constexpr std::string_view kBanner = "SSH-2.0-OpenSSH_9.2\r\n";
// At one byte a tick this takes longer than the timeouts of the tests that wait for it.
constexpr std::string_view kSlowBanner =
    "SSH-2.0-OpenSSH_9.2 a server that takes its time to say hello to whoever comes\r\n";
constexpr int kTickMs = 100;

void send_text(const base::UniqueFd& fd, std::string_view text) {
  // A client that went away is not this side's error.
  [[maybe_unused]] const auto sent = ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// A close would reset the connection if the client's banner is there unread, and the text might be lost with it.
void say_and_end(const base::UniqueFd& fd, std::string_view text) {
  send_text(fd, text);
  ::shutdown(fd.get(), SHUT_WR);
}

void reset_connection(base::UniqueFd fd) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

bool readable(int fd, int patience_ms) {
  pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&p, 1, patience_ms) > 0;
}

// False at the end of file. Blocking writes are fine: each direction of each connection is small in these tests.
bool pass_on(int from, int to) {
  char buffer[16384];
  const auto n = ::read(from, buffer, sizeof buffer);
  if (n <= 0) return false;
  try {
    base::write_all(to, std::string_view(buffer, static_cast<std::size_t>(n)));
  } catch (const std::exception&) {
    return false;
  }
  return true;
}

void relay(const std::stop_token& stop, const base::UniqueFd& client, const base::UniqueFd& server) {
  while (!stop.stop_requested()) {
    pollfd fds[] = {{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}};
    if (::poll(fds, 2, kTickMs) <= 0) continue;
    if (fds[0].revents != 0 && !pass_on(client.get(), server.get())) return;
    if (fds[1].revents != 0 && !pass_on(server.get(), client.get())) return;
  }
}

}  // namespace

BadPeer::BadPeer(const Options& options)
    : options_(options),
      listener_(listen_on_fresh_address(64)),
      thread_([this](const std::stop_token& stop) { serve(stop); }) {}

BadPeer::~BadPeer() = default;

void BadPeer::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (!readable(listener_.fd.get(), kTickMs)) {
      continue_greetings();
      continue;
    }
    base::UniqueFd fd(::accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) continue;
    const int number = connections_.fetch_add(1);
    const bool misbehaves = number >= options_.before && number < options_.before + options_.first;
    if (misbehaves || !options_.then) {
      greet(std::move(fd));
    } else {
      relays_.emplace_back([client = std::move(fd), server = connect_to(*options_.then)](
                               const std::stop_token& relay_stop) { relay(relay_stop, client, server); });
    }
  }
}

void BadPeer::greet(base::UniqueFd fd) {
  switch (options_.behaviour) {
    case Misbehaviour::closes_at_once:
      return;
    case Misbehaviour::resets:
      return reset_connection(std::move(fd));
    case Misbehaviour::too_many_startups:
      say_and_end(fd, "Exceeded MaxStartups\r\n");
      break;
    case Misbehaviour::penalises:
      say_and_end(fd, "Not allowed at this time\r\n");
      break;
    case Misbehaviour::no_ssh:
      say_and_end(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
      break;
    case Misbehaviour::stops_after_banner:
      send_text(fd, kBanner);
      break;
    case Misbehaviour::says_nothing:
    case Misbehaviour::slow_banner:
    case Misbehaviour::endless_greeting:
      break;
  }
  guests_.push_back({.fd = std::move(fd)});
}

void BadPeer::continue_greetings() {
  for (auto& guest : guests_) {
    if (options_.behaviour == Misbehaviour::endless_greeting) send_text(guest.fd, "please wait\r\n");
    if (options_.behaviour == Misbehaviour::slow_banner && guest.sent < kSlowBanner.size())
      send_text(guest.fd, kSlowBanner.substr(guest.sent++, 1));
  }
}

}  // namespace muster::e2e
