#include "parallel-ssh/agent_broker.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/context.h"
#include "base/error.h"
#include "base/socket_pair.h"
#include "parallel-ssh/wire.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::Code;
using base::Error;
using base::TimePoint;
using std::chrono::milliseconds;

constexpr std::size_t kMaxMessageBytes = 256U << 10;
constexpr char kFailure = 5;
constexpr char kRequestIdentities = 11;
constexpr char kIdentitiesAnswer = 12;
constexpr char kSignRequest = 13;

// One whole message without its length, or nullopt when the peer is gone, sends nonsense or is too slow.
std::optional<std::string> receive(int fd, base::TimePoint deadline) {
  std::string bytes;
  std::size_t wanted = 4;
  while (bytes.size() < wanted) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - base::Clock::now()).count();
    pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
    if (left <= 0 || ::poll(&p, 1, static_cast<int>(left)) <= 0) return std::nullopt;
    std::array<char, 8192> piece{};
    const ssize_t n = ::read(fd, piece.data(), std::min(piece.size(), wanted - bytes.size()));
    if (n <= 0) return std::nullopt;
    bytes.append(piece.data(), static_cast<std::size_t>(n));
    if (bytes.size() == 4 && wanted == 4) {
      std::string_view view = bytes;
      wanted += *take_u32(view);
      if (wanted > kMaxMessageBytes) return std::nullopt;
    }
  }
  return bytes.substr(4);
}

bool send_message(int fd, std::string_view message) {
  std::string framed;
  put_string(framed, message);
  return ::send(fd, framed.data(), framed.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(framed.size());
}

base::UniqueFd connect_to(const std::string& path, milliseconds patience) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw Error(Code::usage, "agent socket path is too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // An agent that was stopped, with others queued before us, would let us connect, or send, for ever.
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(patience);
  const timeval limit{.tv_sec = whole.count(), .tv_usec = std::chrono::microseconds(patience - whole).count()};
  if (fd) ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw Error(Code::unreachable, "ssh agent at " + path + ": " + base::errno_text(errno));
  return fd;
}

std::vector<AgentKey> list_keys(int agent, milliseconds patience) {
  const auto deadline = base::Clock::now() + patience;
  if (!send_message(agent, std::string(1, kRequestIdentities))) throw Error(Code::unreachable, "ssh agent hung up");
  const auto answer = receive(agent, deadline);
  if (!answer || answer->empty() || answer->front() != kIdentitiesAnswer)
    throw Error(Code::timeout, "ssh agent does not list its keys");
  std::string_view rest = std::string_view(*answer).substr(1);
  const auto count = take_u32(rest);
  std::vector<AgentKey> keys;
  for (std::size_t i = 0; count && i < *count; ++i) {
    auto blob = take_string(rest);
    auto comment = take_string(rest);
    if (!blob || !comment) break;
    keys.push_back({std::move(*blob), std::move(*comment)});
  }
  return keys;
}

}  // namespace

// The thread that answers the lines.
class AgentBroker::Desk {
 public:
  Desk(const std::string& path, milliseconds patience)
      : path_(path), patience_(patience), agent_(connect_to(path, patience)), keys_(list_keys(agent_.get(), patience)) {
    wake_ = base::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_) base::throw_errno("make an event descriptor");
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;
  ~Desk() {
    thread_.request_stop();
    ::eventfd_write(wake_.get(), 1);
  }

  const std::vector<AgentKey>& keys() const { return keys_; }

  base::UniqueFd open_line(const std::string& blob, const std::optional<Patience>& patience) {
    auto [theirs, ours] = base::make_socket_pair();
    {
      const std::lock_guard lock(mutex_);
      arrivals_.push_back({.fd = std::move(ours), .blob = blob, .patience = patience, .request = {}, .number = 0});
    }
    ::eventfd_write(wake_.get(), 1);
    return std::move(theirs);
  }

 private:
  struct Line {
    base::UniqueFd fd;
    std::string blob;
    std::optional<Patience> patience;
    std::string request;  // not empty: waits for the agent's signature
    std::uint64_t number = 0;

    bool given_up() const { return patience && (patience->cancel->raised() || Clock::now() >= patience->deadline); }
  };

  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pass_on_next();
      const std::vector<pollfd> found = wait();
      if (asked_ != 0 && (found[1].revents != 0 || Clock::now() >= answer_due_)) take_signature();
      for (std::size_t i = lines_.size(); i-- > 0;)
        if (lines_[i].given_up() || (found[i + kOthers].revents != 0 && !answer(lines_[i])))
          lines_.erase(lines_.begin() + static_cast<std::ptrdiff_t>(i));
      if (found[0].revents != 0) take_arrivals();
    }
  }

  // What poll(2) says of the wake-up, the agent, the cancellation of all sessions, and each line.
  static constexpr std::size_t kOthers = 3;
  std::vector<pollfd> wait() const {
    std::vector<pollfd> set(kOthers, {.fd = -1, .events = POLLIN, .revents = 0});
    set[0].fd = wake_.get();
    TimePoint until = asked_ != 0 ? answer_due_ : Clock::now() + std::chrono::hours(1);
    if (asked_ != 0) set[1].fd = agent_.get();
    for (const auto& line : lines_) {
      const short events = line.request.empty() ? POLLIN : 0;
      set.push_back({.fd = line.fd.get(), .events = events, .revents = 0});
      if (!line.patience) continue;
      set[2].fd = line.patience->cancel->fd();
      until = std::min(until, line.patience->deadline);
    }
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
    ::poll(set.data(), set.size(), static_cast<int>(std::max<long>(left, 0)));
    return set;
  }

  void take_arrivals() {
    eventfd_t count = 0;
    ::eventfd_read(wake_.get(), &count);
    const std::lock_guard lock(mutex_);
    for (auto& line : arrivals_) {
      line.number = ++last_number_;
      lines_.push_back(std::move(line));
    }
    arrivals_.clear();
  }

  // False: the line has hung up.
  bool answer(Line& line) {
    if (!line.request.empty()) return false;
    const auto request = receive(line.fd.get(), Clock::now() + std::chrono::seconds(1));
    if (!request || request->empty()) return false;
    if (request->front() == kRequestIdentities) return send_message(line.fd.get(), identities(line.blob));
    if (request->front() != kSignRequest || key_of(*request) != line.blob)
      return send_message(line.fd.get(), std::string(1, kFailure));
    line.request = *request;
    return true;
  }

  static std::optional<std::string> key_of(std::string_view sign_request) {
    sign_request.remove_prefix(1);
    return take_string(sign_request);
  }

  std::string identities(const std::string& blob) const {
    std::string message(1, kIdentitiesAnswer);
    const auto key = std::find_if(keys_.begin(), keys_.end(), [&](const AgentKey& k) { return k.blob == blob; });
    put_u32(message, key == keys_.end() ? 0 : 1);
    if (key != keys_.end()) {
      put_string(message, key->blob);
      put_string(message, key->comment);
    }
    return message;
  }

  // One request at a time goes to the agent, in the order of the lines.
  void pass_on_next() {
    while (asked_ == 0) {
      const auto line = std::find_if(lines_.begin(), lines_.end(), [](const Line& l) { return !l.request.empty(); });
      if (line == lines_.end()) return;
      try {
        if (!agent_) agent_ = connect_to(path_, patience_);
        if (send_message(agent_.get(), line->request)) {
          asked_ = line->number;
          answer_due_ = Clock::now() + patience_;
          return;
        }
      } catch (const Error&) {
        // The agent is gone: the login fails, and the host's error says which key was tried.
      }
      agent_.reset();
      reply(*line, std::string(1, kFailure));
    }
  }

  void take_signature() {
    auto signature = receive(agent_.get(), std::min(answer_due_, Clock::now() + std::chrono::seconds(1)));
    if (!signature) agent_.reset();  // an answer that comes late must not be taken for the next one's
    const auto line = std::find_if(lines_.begin(), lines_.end(), [&](const Line& l) { return l.number == asked_; });
    if (line != lines_.end() && !line->request.empty()) reply(*line, signature.value_or(std::string(1, kFailure)));
    asked_ = 0;
  }

  static void reply(Line& line, std::string_view message) {
    line.request.clear();
    send_message(line.fd.get(), message);
  }

  std::string path_;
  milliseconds patience_;
  base::UniqueFd agent_;
  std::vector<AgentKey> keys_;
  base::UniqueFd wake_;
  std::vector<Line> lines_;                    // this and the next are the thread's
  std::uint64_t last_number_ = 0, asked_ = 0;  // asked_: the line whose request the agent has, or 0
  TimePoint answer_due_;
  std::mutex mutex_;
  std::vector<Line> arrivals_;
  std::jthread thread_;  // last: it uses all of the above
};

AgentBroker::AgentBroker(const std::string& socket_path, milliseconds patience)
    : desk_(std::make_unique<Desk>(socket_path, patience)) {}
AgentBroker::~AgentBroker() = default;

const std::vector<AgentKey>& AgentBroker::keys() const { return desk_->keys(); }

bool AgentBroker::holds(const std::string& blob) const {
  return std::any_of(keys().begin(), keys().end(), [&](const AgentKey& key) { return key.blob == blob; });
}

base::UniqueFd AgentBroker::open_line(const std::string& blob, const std::optional<Patience>& patience) {
  return desk_->open_line(blob, patience);
}

}  // namespace muster::ssh
