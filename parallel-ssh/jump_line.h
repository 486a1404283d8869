// One session to a jump host and the thread that carries bytes between its forwarded channels and local sockets.
// Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "parallel-ssh/session.h"
#include "parallel-ssh/wait.h"

namespace muster::ssh {

class JumpLine {
 public:
  explicit JumpLine(std::unique_ptr<Session> session);
  JumpLine(const JumpLine&) = delete;
  JumpLine& operator=(const JumpLine&) = delete;
  ~JumpLine();

  // Counts one more target, before the open() that must follow.
  void reserve();
  // Blocks until the jump host has connected to `address`:`port`; returns the local end.
  // Throws base::Error{unreachable, timeout, cancelled}.
  base::UniqueFd open(const std::string& address, std::uint16_t port, const Patience& patience);

  // The session is lost; no new targets.
  bool dead() const;
  // Targets reserved and not yet gone.
  int load() const;

 private:
  class Carrier;
  std::unique_ptr<Carrier> carrier_;
};

}  // namespace muster::ssh
