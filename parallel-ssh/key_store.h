// The user's keys: each file is read once, each passphrase asked for once, the agent's list fetched once, whatever the
// number of hosts. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "parallel-ssh/agent_broker.h"
#include "parallel-ssh/private_key.h"
#include "parallel-ssh/session.h"
#include "parallel-ssh/target.h"

namespace muster::ssh {

class KeyStore {
 public:
  // Returns the passphrase of a key file, or nullopt where nobody can be asked. Called by one thread at a time.
  using AskPassphrase = std::function<std::optional<std::string>(const std::string& path)>;

  // At most so many keys are offered to a server: sshd hangs up after MaxAuthTries, 6 by default.
  static constexpr std::size_t kMaxOffers = 5;

  explicit KeyStore(AskPassphrase ask) : ask_(std::move(ask)) {}

  // What to offer for `target`, in order: its identity files (through the agent where it holds the same key), then,
  // unless only these are wanted, the agent's other keys.
  Credentials credentials(const Target& target);

 private:
  struct KeyFile {
    LoadedKey loaded;
    std::optional<std::string> public_blob;
  };
  struct Agent {
    std::unique_ptr<AgentBroker> broker;
    std::string problem;
  };
  const KeyFile& key_file(const std::string& path, const AgentBroker* agent);
  const Agent& agent(const std::string& socket_path);

  AskPassphrase ask_;
  std::mutex mutex_;
  std::map<std::string, KeyFile> files_;
  std::map<std::string, Agent> agents_;
};

}  // namespace muster::ssh
