// One SSH connection over a connected socket, driven by the calling thread: greeting, key exchange, login. What is done
// on it afterwards is in remote_command.h and jump_host.h. libssh runs in non-blocking mode and every wait is ours, so
// each step keeps its deadline and can be cancelled. A Session belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "parallel-ssh/wait.h"

struct ssh_session_struct;

namespace muster::ssh {

class AgentBroker;
class PrivateKey;

struct SessionOptions {
  std::string host;  // for libssh's own records; never resolved
  std::uint16_t port = 22;
  std::string user;
  // Comma-separated algorithm lists as OpenSSH writes them; empty: libssh's defaults.
  std::string key_exchange, ciphers, macs, host_key_algorithms, public_key_algorithms;
  bool compression = false;
};

struct ServerKey {
  std::string type;  // `ssh-ed25519`, ...
  std::string blob;  // the public key as on the wire (RFC 4253, section 6.6)
};

// How to log in: credentials in the order to try them, and what is known to be missing, for the error.
struct Credential {
  std::string name;                       // for messages: a path or an agent's comment
  std::shared_ptr<const PrivateKey> key;  // a key file, or
  std::string agent_key;                  // the public blob of a key an agent holds
};
struct Credentials {
  std::vector<Credential> keys;
  AgentBroker* agent = nullptr;
  std::optional<std::string> password;
  std::vector<std::string> problems;
};

class Session {
 public:
  // Takes over a connected, non-blocking stream socket. Throws base::Error{usage} for options libssh refuses.
  Session(base::UniqueFd socket, const SessionOptions& options);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // What stands before the first key exchange. An sshd that is short of slots, or that penalises this address (OpenSSH
  // 9.8, PerSourcePenalties), says so in place of its banner or just closes.
  enum class Greeting { ssh, dropped, too_many_startups, penalised };
  // Sends our identification and waits for the server's, once. Throws base::Error{unreachable} when something else than
  // an SSH server answers, {timeout, cancelled, io}.
  Greeting greet(const Patience& patience);

  // Throws base::Error{unreachable, timeout, cancelled}.
  void exchange_keys(const Patience& patience);
  ServerKey server_key() const;
  // Throws base::Error{key} when the server accepts none of the credentials; {unreachable, timeout, cancelled}.
  void authenticate(const Credentials& credentials, const Patience& patience);

  // The server's identification string, empty before exchange_keys().
  std::string server_software() const;

  ssh_session_struct* handle() const { return session_; }
  // -1 once libssh closed the socket after an error.
  int fd() const;
  // What poll(2) should wait for: always input; output where something is queued.
  short poll_events() const;
  // libssh's last error, or `fallback` if it has none.
  std::string error_text(std::string_view fallback) const;

  // Asks the server for an answer of any kind (keepalive@openssh.com); does not wait for it.
  void ask_for_life();

  // Calls `step`, waiting in between, until it returns something else than `again`.
  int drive(const std::function<int()>& step, int again, const Patience& patience, const std::string& what);

 private:
  void send_identification();
  bool try_key(const Credential& credential, AgentBroker* agent, const Patience& patience);
  bool try_agent_key(const Credential& credential, AgentBroker& agent, const Patience& patience);
  bool try_password(const std::string& password, const Patience& patience);

  base::UniqueFd socket_;  // to the server, until libssh has it
  ssh_session_struct* session_ = nullptr;
  std::string user_;
  bool connecting_ = false;  // libssh has a socket
};

}  // namespace muster::ssh
