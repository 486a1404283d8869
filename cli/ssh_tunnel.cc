#include "cli/ssh_tunnel.h"

#include <array>
#include <cerrno>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "disk/qemu_program.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr int kClientFailed = 255;
constexpr int kTickMs = 100;
constexpr std::size_t kMaxSaid = 4096;
constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::seconds kEndPatience{5};

// The client's options stand before the destination.
std::vector<std::string> client(const SshPlace& place, const std::vector<std::string>& options,
                                const std::string& command) {
  std::vector<std::string> argv = place.argv;
  argv.insert(argv.begin() + 1, options.begin(), options.end());
  argv.push_back(command);
  return argv;
}

// What one stream has for now; false at its end.
bool take(const base::UniqueFd& fd, std::string& text) {
  std::array<char, 1024> piece{};
  const ssize_t n = ::read(fd.get(), piece.data(), piece.size());
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (text.size() < kMaxSaid) text.append(piece.data(), static_cast<std::size_t>(n));
  return n > 0;
}

[[noreturn]] void fail(const SshPlace& place, const std::string& action, int code, std::string complaint) {
  while (complaint.ends_with('\n')) complaint.pop_back();
  if (code == kClientFailed) throw Error(Code::unreachable, "connect to " + place.host + " over SSH: " + complaint);
  const Error error = disk::qemu_error(action, code, complaint);
  throw Error(error.code(), std::string(error.what()) + ", on " + place.host);
}

// Until it wrote a line.
void await_line(const base::Context& ctx, const SshPlace& place, base::ChildProcess& client,
                const std::string& action) {
  std::string said, complaint;
  const auto deadline = base::Clock::now() + kPatience;
  while (said.find('\n') == std::string::npos) {
    ctx.check_stop();
    if (base::Clock::now() >= deadline) throw Error(Code::timeout, action + ": " + place.host + " does not answer");
    std::array<pollfd, 2> set{{{.fd = client.standard_output().get(), .events = POLLIN, .revents = 0},
                               {.fd = client.standard_error().get(), .events = POLLIN, .revents = 0}}};
    if (::poll(set.data(), set.size(), kTickMs) <= 0) continue;
    if (set[1].revents != 0 && !take(client.standard_error(), complaint)) client.standard_error().reset();
    if (set[0].revents != 0 && !take(client.standard_output(), said))
      fail(place, action, client.wait(kEndPatience).code, complaint);
  }
}

// Its directory goes with it, also where whoever started it was killed.
std::vector<std::string> removing(const std::string& directory, const std::vector<std::string>& client) {
  std::vector<std::string> argv{"sh", "-c", "\"$@\"; s=$?; rm -rf -- \"$0\"; exit $s", directory};
  argv.insert(argv.end(), client.begin(), client.end());
  return argv;
}

}  // namespace

SshTunnel::SshTunnel(const base::Context& ctx, const SshPlace& place, const std::string& socket,
                     const std::string& command, const std::string& action)
    : directory_(""),
      client_(removing(
          directory_.path(),
          client(place, {"-oExitOnForwardFailure=yes", "-oStreamLocalBindMask=0177", "-L", path() + ":" + socket},
                 command))) {
  await_line(ctx, place, client_, action);
}

SshTunnel::~SshTunnel() {
  client_.standard_input().reset();
  client_.wait(kEndPatience);
}

std::string output_over_ssh(const base::Context& ctx, const SshPlace& place, const std::string& command,
                            const std::string& action) {
  try {
    return disk::run_qemu_program(ctx, action, client(place, {}, command));
  } catch (const Error& e) {
    throw Error(e.code(), std::string(e.what()) + ", on " + place.host);
  }
}

}  // namespace muster::cli
