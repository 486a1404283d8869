#include "parallel-ssh/jump_line.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include <libssh/libssh.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/socket_pair.h"
#include "parallel-ssh/life_signs.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::Code;
using base::Error;

constexpr std::size_t kPieceBytes = 32U << 10;
constexpr std::chrono::milliseconds kKeepalive{15'000};
constexpr int kKeepalives = 3;

// What an opener waits for. Shared, because it may give up before the carrier answers.
struct Request {
  std::string address;
  std::uint16_t port;
  std::mutex mutex;
  std::condition_variable_any changed;
  bool done = false;
  bool abandoned = false;
  base::UniqueFd local_end;
  std::string error;

  void answer(base::UniqueFd fd, std::string text) {
    const std::lock_guard lock(mutex);
    local_end = std::move(fd);
    error = std::move(text);
    done = true;
    changed.notify_all();
  }
};

// libssh gives the number of RFC 4254, section 5.1, which says more than the server's own words.
std::string open_failure(const std::string& text) {
  if (text.find("error (1)") != std::string::npos) return "it forbids forwarding";
  if (text.find("error (2)") != std::string::npos) return "it cannot connect:" + text.substr(text.rfind(')') + 1);
  return text;
}

// One target: a channel on the jump host's session and our end of a socket pair.
struct Leg {
  ssh_channel channel = nullptr;
  std::shared_ptr<Request> request;  // until the channel is open
  base::UniqueFd socket;
  std::string outgoing;      // from the target, not yet taken by the local end
  bool local_ended = false;  // nothing more comes from the local end
  bool finished = false;

  explicit Leg(ssh_channel opened) : channel(opened) {}
  Leg(Leg&& other) noexcept
      : channel(std::exchange(other.channel, nullptr)),
        request(std::move(other.request)),
        socket(std::move(other.socket)),
        outgoing(std::move(other.outgoing)),
        local_ended(other.local_ended),
        finished(other.finished) {}
  Leg& operator=(Leg&& other) noexcept {
    std::swap(channel, other.channel);
    std::swap(request, other.request);
    std::swap(socket, other.socket);
    std::swap(outgoing, other.outgoing);
    std::swap(local_ended, other.local_ended);
    std::swap(finished, other.finished);
    return *this;
  }
  ~Leg() {
    if (channel != nullptr) ssh_channel_free(channel);
  }
};

}  // namespace

class JumpLine::Carrier {
 public:
  explicit Carrier(std::unique_ptr<Session> session)
      : session_(std::move(session)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), life_(kKeepalive, kKeepalives) {
    if (!wake_) base::throw_errno("make an event descriptor");
    event_ = ssh_event_new();
    if (event_ == nullptr || ssh_event_add_session(event_, session_->handle()) != SSH_OK)
      throw Error(Code::io, "cannot watch an ssh session");
    thread_ = std::jthread([this](const std::stop_token& stop) { carry(stop); });
  }
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;
  ~Carrier() {
    thread_.request_stop();
    wake();
    thread_.join();
    ssh_event_remove_session(event_, session_->handle());
    ssh_event_free(event_);
  }

  void enqueue(const std::shared_ptr<Request>& request) {
    {
      const std::lock_guard lock(mutex_);
      if (gone_) return request->answer({}, "connection lost");
      arrivals_.push_back(request);
    }
    wake();
  }
  void reserve() { ++load_; }
  bool dead() const { return dead_; }
  int load() const { return load_; }

 private:
  void wake() const { ::eventfd_write(wake_.get(), 1); }

  void carry(const std::stop_token& stop) {
    while (!stop.stop_requested() && !dead_) {
      wait();
      take_arrivals();
      if (ssh_event_dopoll(event_, 0) == SSH_ERROR || session_->fd() < 0 || life_.dead()) dead_ = true;
      if (!dead_ && life_.question_due()) session_->ask_for_life();
      for (auto& leg : legs_) advance(leg);
      load_ -= static_cast<int>(std::erase_if(legs_, [](const Leg& leg) { return leg.finished; }));
    }
    dead_ = true;
    const std::string reason = session_->error_text("closed by peer");
    for (auto& leg : legs_)
      if (leg.request) leg.request->answer({}, "connection lost: " + reason);
    legs_.clear();
    const std::lock_guard lock(mutex_);
    gone_ = true;
    for (const auto& request : arrivals_) request->answer({}, "connection lost: " + reason);
    arrivals_.clear();
  }

  void wait() {
    std::vector<pollfd> set{{.fd = wake_.get(), .events = POLLIN, .revents = 0},
                            {.fd = session_->fd(), .events = session_->poll_events(), .revents = 0}};
    const bool may_write = (session_->poll_events() & POLLOUT) == 0;
    for (const auto& leg : legs_) {
      short events = leg.outgoing.empty() ? 0 : POLLOUT;
      if (may_write && !leg.local_ended && ssh_channel_window_size(leg.channel) > 0)
        events = static_cast<short>(events | POLLIN);
      set.push_back({.fd = leg.request || events == 0 ? -1 : leg.socket.get(), .events = events, .revents = 0});
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(life_.next() - Clock::now()).count();
    ::poll(set.data(), set.size(), static_cast<int>(std::max<long>(left, 0)));
    if (set[0].revents != 0) {
      eventfd_t count = 0;
      ::eventfd_read(wake_.get(), &count);
    }
    if ((set[1].revents & POLLIN) != 0) life_.heard();  // that we may write is no sign of the peer's
  }

  void take_arrivals() {
    const std::lock_guard lock(mutex_);
    for (auto& request : arrivals_) {
      Leg leg(ssh_channel_new(session_->handle()));
      leg.request = std::move(request);
      legs_.push_back(std::move(leg));
    }
    arrivals_.clear();
  }

  void advance(Leg& leg) {
    if (leg.request && !open_channel(leg)) return;
    if (leg.finished) return;
    from_local(leg);
    to_local(leg);
  }

  // True: the channel is open.
  bool open_channel(Leg& leg) {
    Request& request = *leg.request;
    const int rc = ssh_channel_open_forward(leg.channel, request.address.c_str(), request.port, "127.0.0.1", 0);
    if (rc == SSH_AGAIN) return false;
    if (rc != SSH_OK) {
      request.answer({}, open_failure(session_->error_text("refused")));
      leg.finished = true;
      return false;
    }
    try {
      auto [ours, theirs] = base::make_socket_pair(SOCK_NONBLOCK);
      leg.socket = std::move(ours);
      request.answer(std::move(theirs), {});
    } catch (const Error& e) {
      request.answer({}, e.what());
      leg.finished = true;
      return false;
    }
    leg.request.reset();
    return true;
  }

  void from_local(Leg& leg) {
    while (!leg.local_ended && (session_->poll_events() & POLLOUT) == 0) {
      const std::size_t room = std::min<std::size_t>(ssh_channel_window_size(leg.channel), kPieceBytes);
      if (room == 0) return;
      const ssize_t n = ::recv(leg.socket.get(), piece_.data(), room, MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (n <= 0) {
        leg.local_ended = true;  // the target's session is done, and closes both directions at once
        leg.finished = true;
        return;
      }
      if (ssh_channel_write(leg.channel, piece_.data(), static_cast<uint32_t>(n)) < 0) leg.finished = true;
    }
  }

  void to_local(Leg& leg) {
    while (!leg.finished) {
      if (leg.outgoing.empty()) {
        const int n = ssh_channel_read_nonblocking(leg.channel, piece_.data(), kPieceBytes, 0);
        if (n > 0) leg.outgoing.assign(piece_.data(), static_cast<std::size_t>(n));
        if (n < 0 || (n == 0 && (ssh_channel_is_eof(leg.channel) != 0 || ssh_channel_is_closed(leg.channel) != 0)))
          leg.finished = true;
        if (n <= 0) return;
      }
      const ssize_t sent =
          ::send(leg.socket.get(), leg.outgoing.data(), leg.outgoing.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (sent < 0) leg.finished = true;
      if (sent > 0) leg.outgoing.erase(0, static_cast<std::size_t>(sent));
    }
  }

  std::unique_ptr<Session> session_;
  ssh_event event_ = nullptr;
  base::UniqueFd wake_;
  LifeSigns life_;
  std::atomic<bool> dead_ = false;
  std::atomic<int> load_ = 0;
  std::vector<Leg> legs_;
  std::array<char, kPieceBytes> piece_{};
  std::mutex mutex_;
  std::vector<std::shared_ptr<Request>> arrivals_;
  bool gone_ = false;    // nobody looks at arrivals_ any more; guarded by mutex_
  std::jthread thread_;  // last: it uses all of the above
};

JumpLine::JumpLine(std::unique_ptr<Session> session) : carrier_(std::make_unique<Carrier>(std::move(session))) {}
JumpLine::~JumpLine() = default;

bool JumpLine::dead() const { return carrier_->dead(); }
void JumpLine::reserve() { carrier_->reserve(); }
int JumpLine::load() const { return carrier_->load(); }

base::UniqueFd JumpLine::open(const std::string& address, std::uint16_t port, const Patience& patience) {
  auto request = std::make_shared<Request>();
  request->address = address;
  request->port = port;
  carrier_->enqueue(request);
  std::unique_lock lock(request->mutex);
  const bool answered =
      request->changed.wait_until(lock, patience.cancel->token(), patience.deadline, [&] { return request->done; });
  if (patience.cancel->raised()) throw Error(Code::cancelled, "interrupted connecting");
  if (!answered) throw Error(Code::timeout, "timed out connecting to " + address);
  if (!request->local_end) throw Error(Code::unreachable, request->error);
  return std::move(request->local_end);
}

}  // namespace muster::ssh
