#include "cli/ssh_tunnel.h"

#include <array>
#include <cerrno>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "disk/qemu_program.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr int kClientFailed = 255;
constexpr int kTickMs = 100;
constexpr std::size_t kMaxSaid = 4U << 20;
constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::seconds kGreetingPatience{20};
constexpr std::chrono::seconds kAliveInterval{15};
// Whoever serves there writes what it has to.
constexpr std::chrono::seconds kEndPatience{30};

// The client's options stand before the destination. A master that others share would keep what is forwarded.
std::vector<std::string> client(const SshPlace& place, const std::vector<std::string>& options,
                                const std::string& command) {
  std::vector<std::string> argv = place.argv;
  const std::vector<std::string> own{"-oControlMaster=no", "-oControlPath=none"};
  argv.insert(argv.begin() + 1, options.begin(), options.end());
  argv.insert(argv.begin() + 1, own.begin(), own.end());
  argv.push_back(command);
  return argv;
}

// What the client reads as a path in -L: colons separate, percent signs begin tokens.
std::string in_forward(const std::string& path) {
  std::string text;
  for (const char c : path) {
    if (c == ':' || c == '\\') text += '\\';
    text += c == '%' ? std::string("%%") : std::string(1, c);
  }
  return text;
}

// Its directory goes with it, also where whoever started it was killed.
std::vector<std::string> removing(const std::string& directory, const std::vector<std::string>& client) {
  std::vector<std::string> argv{"sh", "-c", "\"$@\"; s=$?; rm -rf -- \"$0\"; exit $s", directory};
  argv.insert(argv.end(), client.begin(), client.end());
  return argv;
}

class Session {
 public:
  Session(const base::Context& ctx, const SshPlace& place, base::ChildProcess& client, const std::string& action)
      : ctx_(ctx), place_(place), client_(client), action_(action), deadline_(base::Clock::now() + kPatience) {}

  void await_line() {
    while (said_.find('\n') == std::string::npos)
      if (!listen()) fail();
  }
  std::string all() {
    while (listen()) continue;
    if (const auto status = client_.wait(kEndPatience); status.code != 0) fail_with(status.code);
    if (said_.size() >= kMaxSaid) throw Error(Code::corrupt, action_ + ": more output than is believable");
    return std::move(said_);
  }
  // What the client says of what it could not do.
  [[noreturn]] void fail() {
    client_.standard_input().reset();
    while (listen()) continue;
    fail_with(client_.wait(kEndPatience).code);
  }
  [[noreturn]] void fail_to_forward() {
    client_.standard_input().reset();
    while (listen()) continue;
    throw Error(Code::unreachable,
                action_ + ": " + place_.host + " does not forward to its socket: " + last(complaint_));
  }

 private:
  // False once both streams have ended.
  bool listen() {
    ctx_.check_stop();
    if (base::Clock::now() >= deadline_) throw Error(Code::timeout, action_ + ": " + place_.host + " does not answer");
    auto& out = client_.standard_output();
    auto& err = client_.standard_error();
    if (!out && !err) return false;
    std::array<pollfd, 2> set{
        {{.fd = out.get(), .events = POLLIN, .revents = 0}, {.fd = err.get(), .events = POLLIN, .revents = 0}}};
    if (::poll(set.data(), set.size(), kTickMs) <= 0) return true;
    if (set[0].revents != 0) take(out, said_);
    if (set[1].revents != 0) take(err, complaint_);
    return true;
  }
  static void take(base::UniqueFd& fd, std::string& text) {
    std::array<char, 65536> piece{};
    const ssize_t n = ::read(fd.get(), piece.data(), piece.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return fd.reset();
    text.append(piece.data(), std::min(static_cast<std::size_t>(n), kMaxSaid - text.size()));
  }
  static std::string last(std::string text) {
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return text.substr(text.rfind('\n') + 1);
  }
  [[noreturn]] void fail_with(int code) const {
    if (code == kClientFailed)
      throw Error(Code::unreachable, "connect to " + place_.host + " over SSH: " + last(complaint_));
    const Error error = disk::qemu_error(action_, code, complaint_);
    throw Error(error.code(), std::string(error.what()) + ", on " + place_.host);
  }

  const base::Context& ctx_;
  const SshPlace& place_;
  base::ChildProcess& client_;
  const std::string& action_;
  const base::TimePoint deadline_;
  std::string said_, complaint_;
};

// An NBD server speaks first. False: nobody is behind the socket.
bool greets(const base::Context& ctx, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    throw Error(Code::usage, "the temporary directory has too long a name for a socket in it: " + path);
  path.copy(address.sun_path, path.size());
  const base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
  for (const auto deadline = base::Clock::now() + kGreetingPatience; base::Clock::now() < deadline;) {
    ctx.check_stop();
    pollfd p{.fd = fd.get(), .events = POLLIN, .revents = 0};
    char byte = 0;
    if (::poll(&p, 1, kTickMs) > 0) return ::recv(fd.get(), &byte, 1, 0) == 1;
  }
  return false;
}

}  // namespace

SshTunnel::SshTunnel(const base::Context& ctx, const SshPlace& place, const std::string& socket,
                     const std::string& command, const std::string& action)
    : directory_(""),
      client_(removing(directory_.path(), client(place,
                                                 {"-oExitOnForwardFailure=no", "-oStreamLocalBindMask=0177", "-L",
                                                  in_forward(path()) + ":" + in_forward(socket)},
                                                 command))),
      alive_([this](const std::stop_token& stop) { say_alive(stop); }) {
  Session session(ctx, place, client_, action);
  session.await_line();
  if (!greets(ctx, path())) {
    alive_ = {};
    session.fail_to_forward();
  }
}

SshTunnel::~SshTunnel() {
  alive_ = {};
  client_.standard_input().reset();
  client_.wait(kEndPatience);
}

void SshTunnel::say_alive(const std::stop_token& stop) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any wake;
  while (!wake.wait_for(lock, stop, kAliveInterval, [&] { return stop.stop_requested(); })) {
    // One that cannot be written has gone, or is slow; the next one is soon.
    [[maybe_unused]] const auto written = ::write(client_.standard_input().get(), "x", 1);
  }
}

std::string output_over_ssh(const base::Context& ctx, const SshPlace& place, const std::string& command,
                            const std::string& action) {
  base::ChildProcess program(client(place, {}, command));
  program.standard_input().reset();
  return Session(ctx, place, program, action).all();
}

}  // namespace muster::cli
