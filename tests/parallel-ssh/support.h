// What the tests of parallel-ssh/ and cli/ share: how an action went wrong, other programs run to their end, keys and
// agents of the real tools, host keys that are only shaped like some.
#pragma once

#include <array>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/digest.h"
#include "base/error.h"
#include "parallel-ssh/output_spool.h"
#include "parallel-ssh/session.h"
#include "tests/inventory/support.h"
#include "tests/unix_socket.h"

namespace muster::ssh {

using base::Code;
using inventory::FileTree;
using inventory::KeptEvents;

struct Failure {
  std::optional<Code> code;  // nullopt: nothing was thrown
  std::string text;

  bool is(Code wanted, std::string_view words) const { return code == wanted && text.find(words) != std::string::npos; }
};

inline std::ostream& operator<<(std::ostream& out, const Failure& failure) {
  if (!failure.code) return out << "no error";
  return out << "error " << static_cast<int>(*failure.code) << ": " << failure.text;
}

template <typename Action>
Failure failure_of(Action action) {
  try {
    action();
  } catch (const base::Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

inline std::string text_of(const OutputSpool& spool) {
  std::string text;
  spool.read([&](std::string_view piece) { text += piece; });
  return text;
}

// Everything a descriptor has until its end, within 30 seconds.
inline std::string read_to_end(int fd) {
  const auto deadline = base::Clock::now() + base::seconds(30);
  std::string text;
  std::array<char, 4096> piece{};
  while (base::Clock::now() < deadline) {
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 1000) <= 0) continue;
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n <= 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(n));
  }
  return text + "(no end)";
}

struct Ran {
  int status = -1;
  std::string out, err;
};

// For input and output that fit into pipes.
inline Ran run_program(const std::vector<std::string>& argv, const std::string& input = {},
                       const std::vector<std::string>& environment = {}) {
  ::signal(SIGPIPE, SIG_IGN);
  base::ChildProcess child(argv, {.environment = environment});
  try {
    base::write_all(child.standard_input().get(), input);
  } catch (const base::Error&) {
    // It ended without reading, as some should.
  }
  child.standard_input().reset();
  Ran ran;
  ran.out = read_to_end(child.standard_output().get());
  ran.err = read_to_end(child.standard_error().get());
  ran.status = child.wait(base::seconds(30)).code;
  return ran;
}

inline void make_key(const std::string& path, const std::string& type, const std::string& passphrase = {},
                     const std::vector<std::string>& more = {}) {
  std::vector<std::string> argv{"ssh-keygen", "-q", "-t", type, "-N", passphrase, "-C", "comment", "-f", path};
  argv.insert(argv.end(), more.begin(), more.end());
  const Ran ran = run_program(argv);
  ASSERT_EQ(ran.status, 0) << ran.err;
}

// A real ssh-agent in a directory, until destroyed.
class RealAgent {
 public:
  explicit RealAgent(const std::string& socket) : socket_(socket), child_({"ssh-agent", "-D", "-a", socket}) {
    const auto deadline = base::Clock::now() + base::seconds(30);
    while (!tests::is_listened_on(socket) && base::Clock::now() < deadline) ::poll(nullptr, 0, 5);
  }
  void add(const std::string& key_file) const {
    const Ran ran = run_program({"ssh-add", "-q", key_file}, {}, {"SSH_AUTH_SOCK=" + socket_});
    ASSERT_EQ(ran.status, 0) << ran.err;
  }
  void stop() {
    child_.signal(SIGKILL);
    child_.wait(base::seconds(30));
    ::unlink(socket_.c_str());
  }
  const std::string& socket() const { return socket_; }

 private:
  std::string socket_;
  base::ChildProcess child_;
};

// Bytes shaped like a host key, different for each number.
inline ServerKey host_key(int number) {
  const std::string type = "ssh-ed25519";
  return {type, std::string({0, 0, 0, static_cast<char>(type.size())}) + type + "key " + std::to_string(number)};
}
inline std::string key_line(int number) { return "ssh-ed25519 " + base::base64_encode(host_key(number).blob); }

}  // namespace muster::ssh
