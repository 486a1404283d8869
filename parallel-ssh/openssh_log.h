// What OpenSSH's client says about its work, apart from what the remote command prints: through `-E` it logs into a
// pipe of ours, and there tells when it is logged in and how the command ended, which its exit status of 255 leaves
// open. Belongs to one run of the client, and to its thread.
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace muster::ssh {

class OpensshLog {
 public:
  OpensshLog();

  // To stand right behind `ssh`: the first value of an option counts.
  std::vector<std::string> arguments() const;
  int fd() const { return pipe_.read_end.get(); }
  // Takes what is there, without waiting.
  void read();

  // Logged in, or on a connection that a master of the user's shares. From then on the command may have been started.
  bool connected() const { return connected_; }
  // Its own connection ended without the command's exit status.
  bool lost() const { return connected_ && !shared_ && !status_seen_ && !signal_seen_; }
  bool ended_by_signal() const { return signal_seen_; }
  // Its warnings and errors, the first few KiB.
  const std::string& messages() const { return messages_; }

 private:
  void take_line(const std::string& line);

  base::Pipe pipe_;
  std::string held_, messages_;
  bool connected_ = false, shared_ = false, status_seen_ = false, signal_seen_ = false;
};

}  // namespace muster::ssh
