#include "vm/port_answer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <string_view>
#include <system_error>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "virt/attempts.h"

namespace muster::vm {
namespace {

using base::Clock;
using std::chrono::milliseconds;

// How long a stop may go unnoticed.
constexpr milliseconds kTick{50};
constexpr std::string_view kBanner = "SSH-";
// Lines that a server may send before its identification.
constexpr std::size_t kMostGreeting = 8192;

struct FreeAddress {
  void operator()(addrinfo* info) const { ::freeaddrinfo(info); }
};
// A list; nullptr: there is none.
using Addresses = std::shared_ptr<addrinfo>;

Addresses look_up(const Endpoint& endpoint, int flags) {
  addrinfo hints{};
  hints.ai_flags = flags | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found) != 0) return nullptr;
  return {found, FreeAddress()};
}

// A name's look-up has no deadline of its own.
Addresses resolved(const base::Context& ctx, const Endpoint& endpoint, milliseconds patience) {
  if (auto numeric = look_up(endpoint, AI_NUMERICHOST)) return numeric;
  virt::Attempts<Addresses> attempt;
  attempt.start([endpoint] { return look_up(endpoint, 0); });
  return attempt.first(ctx, patience).value_or(nullptr);
}

// One connection on its way.
class Caller {
 public:
  Caller(std::string host, const addrinfo& address, Answer wanted)
      : host_(std::move(host)),
        wanted_(wanted),
        fd_(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    if (!fd_)
      give_up(std::system_category().message(errno));
    else if (::connect(fd_.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS)
      refused(errno);
  }

  const std::string& host() const { return host_; }
  bool answered() const { return answered_; }
  bool waits() const { return static_cast<bool>(fd_); }
  pollfd wish() const {
    return {.fd = fd_.get(), .events = static_cast<short>(connected_ ? POLLIN : POLLOUT), .revents = 0};
  }
  std::string complaint() const { return host_ + (complaint_.empty() ? " is silent" : ' ' + complaint_); }

  // Something came.
  void go_on() { connected_ ? listen() : connected(); }

 private:
  void give_up(const std::string& complaint) {
    complaint_ = complaint;
    fd_.reset();
  }
  void refused(int error) {
    give_up(error == ECONNREFUSED ? "refuses"
                                  : std::string("cannot be reached: ") + std::system_category().message(error));
  }

  void connected() {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return refused(error);
    connected_ = true;
    answered_ = wanted_ == Answer::accepts;
    complaint_ = "accepts, and says nothing";
  }

  void listen() {
    std::array<char, 512> piece{};
    const ssize_t count = ::read(fd_.get(), piece.data(), piece.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return give_up("closes before it says what it is");
    heard_.append(piece.data(), static_cast<std::size_t>(count));
    answered_ = heard_.starts_with(kBanner) || heard_.find('\n' + std::string(kBanner)) != std::string::npos;
    if (!answered_ && heard_.size() > kMostGreeting) give_up("is no SSH server");
  }

  std::string host_;
  Answer wanted_;
  base::UniqueFd fd_;
  std::string heard_, complaint_;
  bool connected_ = false, answered_ = false;
};

// Those that something came from since.
void poll_all(std::vector<Caller>& callers, milliseconds at_most) {
  std::vector<pollfd> wishes;
  std::vector<Caller*> waiting;
  for (auto& caller : callers) {
    if (!caller.waits()) continue;
    wishes.push_back(caller.wish());
    waiting.push_back(&caller);
  }
  if (::poll(wishes.data(), wishes.size(), static_cast<int>(at_most.count())) <= 0) return;
  for (std::size_t i = 0; i < wishes.size(); ++i)
    if (wishes[i].revents != 0) waiting[i]->go_on();
}

std::string complaints(const std::vector<Caller>& callers, std::string text) {
  for (const auto& caller : callers) text += (text.empty() ? "" : ", ") + caller.complaint();
  return text;
}

}  // namespace

Knock knock(const base::Context& ctx, const std::vector<Endpoint>& endpoints, Answer answer, milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  std::vector<Caller> callers;
  std::string nameless;
  for (const auto& endpoint : endpoints) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    const auto addresses = resolved(ctx, endpoint, std::max(left, milliseconds(0)));
    if (!addresses) nameless += (nameless.empty() ? "" : ", ") + ("'" + endpoint.host + "' has no address");
    for (const auto* one = addresses.get(); one != nullptr; one = one->ai_next)
      callers.emplace_back(endpoint.host, *one, answer);
  }
  for (;;) {
    ctx.check_stop();
    for (const auto& caller : callers)
      if (caller.answered()) return {.host = caller.host(), .complaint = {}};
    if (Clock::now() >= deadline || std::none_of(callers.begin(), callers.end(), std::mem_fn(&Caller::waits)))
      return {.host = {}, .complaint = complaints(callers, nameless)};
    poll_all(callers, kTick);
  }
}

}  // namespace muster::vm
