#include "parallel-ssh/host_runner.h"

#include "base/error.h"
#include "parallel-ssh/openssh_client.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::Code;
using base::Error;

constexpr std::chrono::milliseconds kFirstPause{500};

// Another try may help. A refused key or a changed host key stays what it is, and trying it again is what sshd
// penalises.
bool worth_retrying(const Error& e) { return e.code() == Code::unreachable; }

// Before the command was started, whatever goes wrong means that the host was not reached.
void judge_connection(const Error& e, HostReport& report) {
  report.state = e.code() == Code::cancelled ? HostState::skipped : HostState::unreachable;
  report.error = e.what();
}

void judge_command(const Error& e, HostReport& report) {
  report.state = e.code() == Code::timeout ? HostState::timeout : HostState::failed;
  report.error = e.what();
}

void judge_outcome(const CommandOutcome& outcome, HostReport& report) {
  report.status = outcome.status;
  report.signal = outcome.signal;
  report.state = outcome.status == 0 ? HostState::ok : HostState::failed;
  if (!outcome.signal.empty()) report.error = "ended by SIG" + outcome.signal;
  if (outcome.output_cut) report.note = "it left something running that holds its output open; the rest is not shown";
}

// The command for this host, and the secret its sudo wants.
CommandRequest request_for(const Target& target, const RunRequest& run) {
  CommandSpec spec = run.command;
  CommandRequest request{.command = {}, .input = run.input, .sudo = {}, .clocks = run.clocks};
  spec.sudo = run.sudo;
  if (!spec.sudo && !run.as_login && target.become.enabled) spec.sudo = Sudo{target.become.user};
  if (spec.sudo) {
    const auto& password = run.sudo_password ? run.sudo_password : target.become.password;
    if (password) request.sudo = make_sudo_secret(*password);
  }
  request.command = remote_command_line(spec, request.sudo ? &*request.sudo : nullptr);
  return request;
}

}  // namespace

template <typename Attempt>
auto HostRunner::with_retries(const Attempt& attempt_once) const {
  for (int attempt = 0;; ++attempt) {
    try {
      return attempt_once();
    } catch (const Error& e) {
      if (attempt >= retries_ || !worth_retrying(e)) throw;
    }
    const auto until = Clock::now() + jittered_pause(kFirstPause, attempt);
    pause_until(until, {until + std::chrono::seconds(1), &abort_}, "waiting to try again");
  }
}

std::unique_ptr<Session> HostRunner::connect(const Target& target) const {
  return with_retries([&] { return connector_.connect(ctx_, target); });
}

CommandOutcome HostRunner::run_by_client(const Target& target, const CommandRequest& request, OutputSink& sink) const {
  return with_retries([&] { return run_over_openssh(target, request, sink, abort_); });
}

Transport HostRunner::carrier(const Target& target, HostReport& report) const {
  if (target.transport == Transport::openssh) {
    if (!target.transport_reason.empty())
      report.note = "through OpenSSH's client: its configuration asks for " + target.transport_reason;
    return Transport::openssh;
  }
  if (!host_keys_.needs_certificate(ctx_, target)) return Transport::libssh;
  if (target.transport_fixed)
    throw Error(Code::refused,
                "known_hosts has a certificate authority for it, which only OpenSSH's client can check: leave out "
                "--transport libssh");
  report.note = "through OpenSSH's client: known_hosts has a certificate authority for it";
  return Transport::openssh;
}

HostReport HostRunner::run(const Target& target, const RunRequest& run, OutputSink& sink) const {
  HostReport report;
  try {
    if (!target.refusal.empty()) throw Error(Code::unsupported, target.refusal);
    const CommandRequest request = request_for(target, run);
    if (carrier(target, report) == Transport::openssh) {
      try {
        judge_outcome(run_by_client(target, request, sink), report);
      } catch (const Error& e) {
        if (e.code() == Code::unreachable || e.code() == Code::key || e.code() == Code::unsupported) throw;
        judge_command(e, report);
      }
      return report;
    }
    const auto session = connect(target);
    try {
      judge_outcome(run_over_session(*session, request, sink, abort_), report);
    } catch (const Error& e) {
      judge_command(e, report);
    }
  } catch (const Error& e) {
    judge_connection(e, report);
  }
  return report;
}

HostReport HostRunner::ping(const Target& target, OutputSink& sink) const {
  HostReport report;
  try {
    if (!target.refusal.empty()) throw Error(Code::unsupported, target.refusal);
    if (carrier(target, report) == Transport::openssh) {
      const CommandRequest request{.command = "exit 0", .input = nullptr, .sudo = {}, .clocks = {}};
      run_by_client(target, request, sink);
    } else {
      sink.output(Stream::out, connect(target)->server_software());
    }
    report.state = HostState::ok;
  } catch (const Error& e) {
    judge_connection(e, report);
  }
  return report;
}

}  // namespace muster::ssh
