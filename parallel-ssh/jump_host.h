// Shared connections to jump hosts: the targets behind one travel as forwarded channels over a few sessions, instead of
// a login there for each. A jump host that cannot be reached, or refuses us, is asked once, and every target behind it
// gets that one answer; one that refuses only further sessions carries all on those it has. Thread-safe.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "parallel-ssh/jump_line.h"
#include "parallel-ssh/session.h"

namespace muster::ssh {

class JumpHosts {
 public:
  // Targets a session carries before another one is tried. OpenSSH does not count forwarded channels as sessions
  // (MaxSessions), but one connection is one sshd process, and so one core, on the jump host.
  static constexpr int kTargetsPerSession = 64;

  using Connect = std::function<std::unique_ptr<Session>()>;

  explicit JumpHosts(const CancelSignal& cancel) : cancel_(cancel) {}

  // A line to the jump host `name` with a place reserved on it. Sessions are shared by those who give the same `key`.
  // `connect` makes a session and is called only when a new one is needed, by one thread at a time for a key. Blocks as
  // long as `connect` does. Throws base::Error{unreachable} with the jump host's name, {cancelled}.
  std::shared_ptr<JumpLine> line(const std::string& key, const std::string& name, const Connect& connect);

 private:
  struct Host {
    std::vector<std::shared_ptr<JumpLine>> lines;
    std::optional<base::Error> failure;
    bool takes_no_more = false;  // sessions
    bool connecting = false;
  };
  const CancelSignal& cancel_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Host> hosts_;
};

}  // namespace muster::ssh
