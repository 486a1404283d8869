// delay_proxy LISTEN_PORT TARGET_PORT DELAY_MS: a network that is far away. Accepts on 0.0.0.0:LISTEN_PORT, connects to
// TARGET_PORT of the same local address, and passes bytes on DELAY_MS later in each direction. The TCP handshake itself
// is not delayed: what is measured through it has one round trip less than a real distance. One thread, epoll.
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace {

using Clock = std::chrono::steady_clock;
using muster::base::UniqueFd;

constexpr std::size_t kMaxWaitingBytes = 1U << 20U;  // of one direction; then its source is not read

// One direction: what was read, and when it may be written. An empty piece is the end of file.
struct Direction {
  struct Piece {
    Clock::time_point due;
    std::string bytes;
  };
  std::deque<Piece> waiting;
  std::size_t waiting_bytes = 0;
  bool ended = false;  // the source has no more
};

struct Side;

struct Connection {
  UniqueFd client, server;
  Direction to_server, to_client;
  bool dead = false;
};

// What epoll knows: one end of a connection.
struct Side {
  std::shared_ptr<Connection> connection;
  bool is_client = false;

  int fd() const { return (is_client ? connection->client : connection->server).get(); }
  Direction& incoming() const { return is_client ? connection->to_server : connection->to_client; }
  Direction& outgoing() const { return is_client ? connection->to_client : connection->to_server; }
};

class Proxy {
 public:
  Proxy(std::uint16_t listen_port, std::uint16_t target_port, std::chrono::milliseconds delay)
      : target_port_(target_port), delay_(delay), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(listen_port);
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 ||
        ::listen(listener_.get(), 4096) != 0) {
      std::perror("delay_proxy: listen");
      std::exit(1);
    }
    epoll_event event{.events = EPOLLIN, .data = {.fd = listener_.get()}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener_.get(), &event);
  }

  [[noreturn]] void run() {
    for (;;) {
      epoll_event events[256];
      const int n = ::epoll_wait(epoll_.get(), events, 256, milliseconds_to_next());
      for (int i = 0; i < n; ++i) {
        const int fd = events[i].data.fd;
        if (fd == listener_.get()) {
          accept_all();
        } else if (const auto it = sides_.find(fd); it != sides_.end()) {
          // Copied: handling it may erase it.
          const Side side = it->second;
          if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_from(side);
          if ((events[i].events & EPOLLOUT) != 0) write_due(side);
          close_if_done(side.connection);
        }
      }
      write_all_due();
    }
  }

 private:
  struct Alarm {
    Clock::time_point due;
    std::weak_ptr<Connection> connection;
    bool to_client;
    bool operator>(const Alarm& other) const { return due > other.due; }
  };

  int milliseconds_to_next() const {
    if (alarms_.empty()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(alarms_.top().due - Clock::now());
    return left.count() > 0 ? static_cast<int>(left.count()) : 0;
  }

  void accept_all() {
    for (;;) {
      UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!client) return;
      sockaddr_in local{};
      socklen_t length = sizeof local;
      ::getsockname(client.get(), reinterpret_cast<sockaddr*>(&local), &length);
      local.sin_port = htons(target_port_);
      UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0 && errno != EINPROGRESS)
        continue;
      auto connection = std::make_shared<Connection>();
      connection->client = std::move(client);
      connection->server = std::move(server);
      for (const bool is_client : {true, false}) watch({.connection = connection, .is_client = is_client});
    }
  }

  void watch(const Side& side) {
    const int on = 1;
    ::setsockopt(side.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // Edge-triggered: each side is read and written until it would block.
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.fd = side.fd()}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, side.fd(), &event);
    sides_.emplace(side.fd(), side);
  }

  void queue(const Side& side, std::string bytes) {
    Direction& direction = side.incoming();
    const auto due = Clock::now() + delay_;
    direction.waiting_bytes += bytes.size();
    direction.waiting.push_back({.due = due, .bytes = std::move(bytes)});
    alarms_.push({.due = due, .connection = side.connection, .to_client = !side.is_client});
  }

  void read_from(const Side& side) {
    Direction& direction = side.incoming();
    static char buffer[65536];
    while (!direction.ended && direction.waiting_bytes < kMaxWaitingBytes) {
      const auto n = ::read(side.fd(), buffer, sizeof buffer);
      if (n > 0) {
        queue(side, std::string(buffer, static_cast<std::size_t>(n)));
      } else if (n < 0 && errno == EINTR) {
        continue;
      } else if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
        return;
      } else {
        direction.ended = true;
        queue(side, "");
      }
    }
  }

  void write_due(const Side& side) {
    Direction& direction = side.outgoing();
    const bool was_full = direction.waiting_bytes >= kMaxWaitingBytes;
    while (!direction.waiting.empty() && direction.waiting.front().due <= Clock::now()) {
      auto& piece = direction.waiting.front();
      if (piece.bytes.empty()) {
        ::shutdown(side.fd(), SHUT_WR);
        direction.waiting.pop_front();
        continue;
      }
      const auto n = ::send(side.fd(), piece.bytes.data(), piece.bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
      if (n < 0) {
        side.connection->dead = true;
        return;
      }
      direction.waiting_bytes -= static_cast<std::size_t>(n);
      piece.bytes.erase(0, static_cast<std::size_t>(n));
      if (piece.bytes.empty()) direction.waiting.pop_front();
    }
    // What was not read while full gets no new edge.
    if (was_full && direction.waiting_bytes < kMaxWaitingBytes)
      read_from({.connection = side.connection, .is_client = !side.is_client});
  }

  void write_all_due() {
    while (!alarms_.empty() && alarms_.top().due <= Clock::now()) {
      const auto alarm = alarms_.top();
      alarms_.pop();
      if (const auto connection = alarm.connection.lock(); connection && connection->client) {
        write_due({.connection = connection, .is_client = alarm.to_client});
        close_if_done(connection);
      }
    }
  }

  void close_if_done(const std::shared_ptr<Connection>& connection) {
    const auto done = [](const Direction& d) { return d.ended && d.waiting.empty(); };
    if (!connection->client) return;
    if (!connection->dead && !(done(connection->to_server) && done(connection->to_client))) return;
    for (auto* fd : {&connection->client, &connection->server}) {
      sides_.erase(fd->get());
      fd->reset();
    }
  }

  std::uint16_t target_port_;
  std::chrono::milliseconds delay_;
  UniqueFd epoll_, listener_;
  std::unordered_map<int, Side> sides_;
  std::priority_queue<Alarm, std::vector<Alarm>, std::greater<>> alarms_;
};

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: delay_proxy LISTEN_PORT TARGET_PORT DELAY_MS\n", stderr);
    return 2;
  }
  raise_descriptor_limit();
  Proxy(static_cast<std::uint16_t>(std::atoi(argv[1])), static_cast<std::uint16_t>(std::atoi(argv[2])),
        std::chrono::milliseconds(std::atoi(argv[3])))
      .run();
}
