// Commands on single hosts over SSH, whatever is known of them and from where: for those that are checked as they come,
// and not chosen from an inventory beforehand. Thread-safe.
#pragma once

#include <chrono>
#include <string>

#include "cli/command_answer.h"
#include "cli/program.h"
#include "inventory/connection.h"
#include "parallel-ssh/connector.h"
#include "parallel-ssh/host_runner.h"
#include "parallel-ssh/key_store.h"
#include "parallel-ssh/ssh_config.h"
#include "parallel-ssh/target_resolution.h"

namespace muster::cli {

class HostLogins {
 public:
  explicit HostLogins(const Program& program);

  struct Answer {
    int status = 0;      // of the command
    std::string output;  // both streams, as much as is kept
  };
  // Throws base::Error{unreachable, timeout, cancelled}, or {io} for a host that did not let in, or broke off.
  Answer run_once(const inventory::ConnectionFacts& facts, const std::string& command, base::TimePoint deadline);
  // Any request, which may have a shorter time of its own. Throws base::Error{usage} for
  // facts that make no sense.
  CommandAnswer ask(const inventory::ConnectionFacts& facts, ssh::RunRequest request, base::TimePoint deadline);
  // Tries again until `deadline` while it throws anything but {cancelled}: for what may be done twice.
  Answer run(const inventory::ConnectionFacts& facts, const std::string& command, base::TimePoint deadline);

 private:
  const Program& program_;
  ssh::SshConfig config_;
  ssh::TargetResolution resolution_;
  ssh::CancelSignal abort_;
  ssh::KeyStore keys_;
  ssh::HostKeyCheck host_keys_;
  ssh::Connector connector_;
  ssh::HostRunner runner_;
};

}  // namespace muster::cli
