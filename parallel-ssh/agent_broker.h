// Stands between the sessions and the user's ssh-agent. It reads the agent's list once, offers each session only the
// one key it should try, and passes signing requests on one after the other, each with a deadline: libssh itself talks
// to an agent without one, offers every key, and thousands of sessions at once overwhelm an agent. Protocol:
// draft-miller-ssh-agent. Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "parallel-ssh/wait.h"

namespace muster::ssh {

struct AgentKey {
  std::string blob;
  std::string comment;
};

class AgentBroker {
 public:
  // How long one answer may take: an agent may ask its user to confirm.
  static constexpr std::chrono::milliseconds kPatience{10'000};

  // Connects to the agent at `socket_path` and reads its list. Throws base::Error{unreachable, timeout}.
  explicit AgentBroker(const std::string& socket_path, std::chrono::milliseconds patience = kPatience);
  ~AgentBroker();

  // In the agent's order.
  const std::vector<AgentKey>& keys() const;
  bool holds(const std::string& blob) const;

  // A socket that speaks the agent protocol, knows only the key `blob` and signs with no other. It is hung up when
  // `patience` ends: who reads from it, libssh above all, need have none. Its cancel signal must outlive the broker.
  base::UniqueFd open_line(const std::string& blob, const std::optional<Patience>& patience = std::nullopt);

 private:
  class Desk;
  std::unique_ptr<Desk> desk_;
};

}  // namespace muster::ssh
