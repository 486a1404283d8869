// A real sshd of the test's own: own host keys, configuration and port on a loopback address of its own. Ends with the
// object, sessions and what they left running included. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/child_process.h"
#include "tests/e2e/loopback.h"
#include "tests/e2e/temp_dir.h"

namespace muster::e2e {

class SshServer {
 public:
  struct Options {
    std::vector<std::string> authorized_keys = {};  // lines as in authorized_keys(5)
    std::vector<std::string> config = {};           // lines of sshd_config(5); the first of a keyword counts
    std::string address = {};                       // a fresh one if empty
    // Shell commands that run before sshd in a mount namespace of its own. Needs root.
    std::string in_namespace = {};
  };

  explicit SshServer(Options options);
  SshServer(const SshServer&) = delete;
  SshServer& operator=(const SshServer&) = delete;
  ~SshServer();

  const Endpoint& endpoint() const { return endpoint_; }
  // "TYPE BASE64", as in known_hosts and in the inventory's host_key.
  const std::string& host_key() const { return host_key_; }
  // "SHA256:..." of it.
  std::string fingerprint() const;
  // A line of known_hosts for this server, with `marker` ("@revoked ") in front.
  std::string known_hosts_line(const std::string& marker = "") const;
  // What sshd logged so far.
  std::string log() const;
  // How often `text` is in the log.
  std::size_t logged(const std::string& text) const;

  // kill -9 of the server and every process of every session.
  void kill_hard();
  // Stops (SIGSTOP) the processes of the sessions: a peer that neither reads nor answers but whose kernel does.
  void freeze_sessions() const;

 private:
  std::vector<std::string> command() const;
  void write_config() const;
  void start();
  void end_leftovers(const std::vector<pid_t>& tree) const;

  Options options_;
  TempDir directory_;
  Endpoint endpoint_;
  std::string host_key_;
  std::string mark_;
  std::unique_ptr<base::ChildProcess> sshd_;
};

// The name of the user the tests run as.
std::string current_user();

}  // namespace muster::e2e
