// The work on one host of a run: connect, retry what was not reached, run the command over the right carrier, and say
// what became of it. The border at which one host's error becomes its outcome. Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "base/context.h"
#include "parallel-ssh/command_line.h"
#include "parallel-ssh/connector.h"
#include "parallel-ssh/fleet.h"
#include "parallel-ssh/target.h"

namespace muster::ssh {

struct RunRequest {
  CommandSpec command;
  // Becoming another user asked for on the command line; otherwise the inventory's `ansible_become`.
  std::optional<Sudo> sudo;
  bool as_login = false;  // as whoever logs in, whatever the inventory says; only without `sudo`
  std::optional<std::string> sudo_password;
  const InputSource* input = nullptr;
  CommandClocks clocks;
};

class HostRunner {
 public:
  HostRunner(const base::Context& ctx, Connector& connector, HostKeyCheck& host_keys, const CancelSignal& abort,
             int retries)
      : ctx_(ctx), connector_(connector), host_keys_(host_keys), abort_(abort), retries_(retries) {}

  HostReport run(const Target& target, const RunRequest& request, OutputSink& sink) const;
  // Logs in and out again. Output: the server's identification.
  HostReport ping(const Target& target, OutputSink& sink) const;

 private:
  Transport carrier(const Target& target, HostReport& report) const;
  std::unique_ptr<Session> connect(const Target& target) const;
  CommandOutcome run_by_client(const Target& target, const CommandRequest& request, OutputSink& sink) const;
  template <typename Attempt>
  auto with_retries(const Attempt& attempt_once) const;

  const base::Context& ctx_;
  Connector& connector_;
  HostKeyCheck& host_keys_;
  const CancelSignal& abort_;
  int retries_;
};

}  // namespace muster::ssh
