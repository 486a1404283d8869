#include "parallel-ssh/openssh_client.h"

#include <algorithm>
#include <array>
#include <utility>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/error.h"
#include "base/quantity.h"
#include "parallel-ssh/input_feed.h"
#include "parallel-ssh/openssh_log.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::Code;
using base::Error;
using base::TimePoint;

constexpr std::chrono::milliseconds kGoodbye{1'000};
constexpr int kClientFailed = 255;
constexpr std::size_t kReasonBytes = 4096;
constexpr std::size_t kPipeBytes = 1U << 20;

void add_option(std::vector<std::string>& arguments, const std::string& option) {
  arguments.insert(arguments.end(), {"-o", option});
}

// A path or list as ssh_config quotes it.
std::string option_word(const std::string& text) { return "\"" + text + "\""; }

std::string jump_list(const std::vector<Target>& jumps) {
  std::string list;
  for (const auto& jump : jumps) {
    list += list.empty() ? "" : ",";
    list += jump.session.user + "@" +
            (jump.address.find(':') == std::string::npos ? jump.address : "[" + jump.address + "]") + ":" +
            std::to_string(jump.session.port);
  }
  return list;
}

const char* checking_of(HostKeyMode mode) {
  switch (mode) {
    case HostKeyMode::strict:
      return "StrictHostKeyChecking=yes";
    case HostKeyMode::accept_new:
      return "StrictHostKeyChecking=accept-new";
    case HostKeyMode::none:
      return "StrictHostKeyChecking=no";
  }
  return "";
}

// A command that prints the pinned keys as known_hosts lines, as ssh_config wants it: absolute, `%` doubled, each
// argument in quotes. `%H` is the name the client is looking for.
std::string pinned_keys_command(const Target& target) {
  std::string command = "/usr/bin/printf %%s\\n";
  for (const auto& key : target.pinned_host_keys) {
    if (key.starts_with("SHA256:"))
      throw Error(Code::unsupported,
                  "host_key is a fingerprint, which OpenSSH's client cannot check: write the key line");
    if (key.find_first_of("\"'%\\\n") != std::string::npos) throw Error(Code::usage, "host_key is no key line: " + key);
    command += " \"%H " + key + "\"";
  }
  return command;
}

void add_host_key_options(std::vector<std::string>& arguments, const Target& target) {
  // A pin holds whatever the policy is, also `none`.
  add_option(arguments,
             target.pinned_host_keys.empty() ? checking_of(target.host_key_mode) : "StrictHostKeyChecking=yes");
  if (!target.pinned_host_keys.empty()) {
    add_option(arguments, "UserKnownHostsFile=/dev/null");
    add_option(arguments, "GlobalKnownHostsFile=/dev/null");
    add_option(arguments, "KnownHostsCommand=" + pinned_keys_command(target));
  } else if (!target.known_hosts_files.empty()) {
    std::string files;
    for (const auto& file : target.known_hosts_files) files += (files.empty() ? "" : " ") + option_word(file);
    add_option(arguments, "UserKnownHostsFile=" + files);
    add_option(arguments, "GlobalKnownHostsFile=/dev/null");  // the system's are among them, or left out on purpose
  }
}

// One run of the client: its three streams, its log, its clocks, its end.
class ClientRun {
 public:
  ClientRun(const Target& target, const CommandRequest& request, OutputSink& sink)
      : child_(arguments(target, request, log_)),
        feed_(request),
        clocks_(request.clocks),
        sink_(sink),
        connect_timeout_(target.connect_timeout * static_cast<long>(1 + target.jumps.size())) {}

  CommandOutcome drive(const CancelSignal& abort) {
    for (bool ended = false; !ended && (child_.standard_output() || child_.standard_error());) {
      feed_input();
      if (feed_.refused()) throw Error(Code::refused, "sudo does not take the password");
      check_clocks();
      // Whoever else holds its streams (a shared connection that outlives it, a proxy) is not waited for.
      ended = wait(abort);
      read_log();
      take(child_.standard_output(), Stream::out);
      take(child_.standard_error(), Stream::err);
    }
    if (const std::string rest = feed_.finish_error(); !rest.empty()) pass_on(Stream::err, rest);
    const base::ExitStatus status = child_.wait(kGoodbye);
    read_log();
    return judge(status);
  }

 private:
  static std::vector<std::string> arguments(Target target, const CommandRequest& request, const OpensshLog& log) {
    std::erase(target.openssh_args, "-q");  // it would silence the log
    auto arguments = openssh_arguments(target, Interaction::batch);
    const auto logging = log.arguments();
    arguments.insert(arguments.begin() + 1, logging.begin(), logging.end());
    arguments.push_back(request.command);
    return arguments;
  }

  void feed_input() {
    while (child_.standard_input()) {
      if (pending_.empty()) pending_ = feed_.next(32U << 10);
      if (pending_.empty()) {
        if (feed_.at_end()) child_.standard_input().reset();
        return;
      }
      const ssize_t n = ::write(child_.standard_input().get(), pending_.data(), pending_.size());
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0) return child_.standard_input().reset();  // it does not want the rest
      pending_.erase(0, static_cast<std::size_t>(n));
    }
  }

  void read_log() {
    log_.read();
    if (!connected_ && log_.connected()) connected();
  }

  // The command's clocks start when the client is logged in.
  void connected() {
    connected_ = true;
    start_ = last_output_ = Clock::now();
    if (!held_back_.empty()) sink_.output(Stream::err, std::exchange(held_back_, {}));
  }

  // When the first of the clocks runs out.
  TimePoint next_deadline() const {
    if (!connected_) return start_ + connect_timeout_;
    TimePoint until = Clock::now() + std::chrono::hours(1);
    if (clocks_.total) until = std::min(until, start_ + *clocks_.total);
    if (clocks_.idle) until = std::min(until, last_output_ + *clocks_.idle);
    return until;
  }

  void check_clocks() const {
    const TimePoint now = Clock::now();
    if (!connected_ && now >= start_ + connect_timeout_)
      throw Error(Code::unreachable,
                  "OpenSSH's client is not logged in after " + base::format_duration(connect_timeout_) + reason());
    if (!connected_) return;
    if (clocks_.total && now >= start_ + *clocks_.total) throw Error(Code::timeout, "command ran into its timeout");
    if (clocks_.idle && now >= last_output_ + *clocks_.idle)
      throw Error(Code::timeout, "command was silent for longer than its idle timeout");
  }

  // True: the client has ended.
  bool wait(const CancelSignal& abort) {
    TimePoint until = next_deadline();
    if (child_.standard_input() && pending_.empty() && feed_.may_grow())
      until = std::min(until, Clock::now() + InputFeed::kAskAgain);
    std::array<pollfd, 6> set{
        {{.fd = child_.standard_output().get(), .events = POLLIN, .revents = 0},
         {.fd = child_.standard_error().get(), .events = POLLIN, .revents = 0},
         {.fd = pending_.empty() ? -1 : child_.standard_input().get(), .events = POLLOUT, .revents = 0},
         {.fd = abort.fd(), .events = POLLIN, .revents = 0},
         {.fd = log_.fd(), .events = POLLIN, .revents = 0},
         {.fd = child_.ended_fd(), .events = POLLIN, .revents = 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    ::poll(set.data(), set.size(), static_cast<int>(std::max<long>(left, 0)));
    if (!abort.raised()) return set[5].revents != 0;
    child_.signal(SIGTERM);
    child_.wait(kGoodbye);
    throw Error(Code::cancelled, "interrupted while the command ran");
  }

  void take(base::UniqueFd& fd, Stream stream) {
    std::array<char, 32768> piece{};
    // Not to the end at once: it may write faster than our output is taken, and the clocks go on. Once it has ended, no
    // more can be left than a pipe holds.
    for (std::size_t taken = 0; fd && taken < kPipeBytes;) {
      const ssize_t n = ::read(fd.get(), piece.data(), piece.size());
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (n <= 0) return fd.reset();
      taken += static_cast<std::size_t>(n);
      const std::string_view bytes(piece.data(), static_cast<std::size_t>(n));
      if (stream == Stream::out) {
        pass_on(stream, bytes);
      } else if (const std::string own = feed_.filter_error(bytes); !own.empty()) {
        pass_on(stream, own);
      }
    }
  }

  // Before the login, standard error is a proxy's or a jump host's, and the reason if that fails.
  void pass_on(Stream stream, std::string_view bytes) {
    last_output_ = Clock::now();
    if (!connected_ && stream == Stream::err) {
      if (held_back_.size() + bytes.size() <= kReasonBytes) held_back_ += bytes;
      return;
    }
    sink_.output(stream, bytes);
    last_output_ = Clock::now();
  }

  // Empty, or begins with a colon.
  std::string reason() const {
    std::string text = held_back_ + log_.messages();
    std::erase(text, '\r');
    while (text.ends_with('\n')) text.pop_back();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text.empty() ? text : ": " + text;
  }

  // Nothing thrown from here may be unreachable once the client was logged in: that is tried again, and the command may
  // have been run.
  CommandOutcome judge(const base::ExitStatus& status) const {
    if (status.signal != 0)
      throw Error(connected_ ? Code::io : Code::unreachable,
                  "OpenSSH's client was ended by signal " + std::to_string(status.signal));
    if (!connected_ && status.code == kClientFailed) {
      const std::string why = reason();
      const bool refused = why.find("Permission denied") != std::string::npos ||
                           why.find("Host key verification failed") != std::string::npos;
      throw Error(refused ? Code::key : Code::unreachable, "OpenSSH's client could not connect" + why);
    }
    if (status.code == kClientFailed && log_.ended_by_signal())
      throw Error(Code::io, "the command was ended by a signal");
    if (status.code == kClientFailed && log_.lost())
      throw Error(Code::io, "connection lost while the command ran" + reason());
    return {.status = status.code, .signal = {}, .output_cut = false};
  }

  OpensshLog log_;
  base::ChildProcess child_;
  InputFeed feed_;
  const CommandClocks& clocks_;
  OutputSink& sink_;
  std::chrono::milliseconds connect_timeout_;
  std::string pending_, held_back_;
  bool connected_ = false;
  TimePoint start_ = Clock::now(), last_output_ = start_;
};

}  // namespace

std::vector<std::string> openssh_arguments(const Target& target, Interaction interaction) {
  std::vector<std::string> arguments{"ssh"};
  if (!target.ssh_config_file.empty()) arguments.insert(arguments.end(), {"-F", target.ssh_config_file});
  // Before the inventory's own arguments, for the first one counts: they are in the policy already, below what the
  // command line said.
  add_host_key_options(arguments, target);
  if (interaction == Interaction::batch) add_option(arguments, "BatchMode=yes");
  arguments.insert(arguments.end(), target.openssh_args.begin(), target.openssh_args.end());
  if (interaction == Interaction::batch) {
    add_option(arguments, "EscapeChar=none");
    add_option(arguments, "ServerAliveInterval=15");
  }
  const auto timeout = std::chrono::ceil<std::chrono::seconds>(target.connect_timeout).count();
  add_option(arguments, "ConnectTimeout=" + std::to_string(std::max<long>(timeout, 1)));
  add_option(arguments, "HostName=" + target.address);
  add_option(arguments, "Port=" + std::to_string(target.session.port));
  add_option(arguments, "User=" + target.session.user);
  for (const auto& file : target.identity_files) add_option(arguments, "IdentityFile=" + option_word(file));
  if (target.only_these_identities) add_option(arguments, "IdentitiesOnly=yes");
  if (!target.jumps.empty()) add_option(arguments, "ProxyJump=" + jump_list(target.jumps));
  // The name the user's `Host` patterns know it by.
  arguments.insert(arguments.end(), {"--", target.ssh_config_host});
  return arguments;
}

CommandOutcome run_over_openssh(const Target& target, const CommandRequest& request, OutputSink& sink,
                                const CancelSignal& abort) {
  return ClientRun(target, request, sink).drive(abort);
}

}  // namespace muster::ssh
