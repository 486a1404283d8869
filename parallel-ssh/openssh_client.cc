#include "parallel-ssh/openssh_client.h"

#include <algorithm>
#include <array>
#include <utility>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/error.h"
#include "parallel-ssh/input_feed.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::Code;
using base::Error;
using base::TimePoint;

constexpr std::chrono::milliseconds kGoodbye{1'000};
constexpr int kClientFailed = 255;
constexpr std::size_t kReasonBytes = 4096;

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

// One run of the client: its three streams, its clocks, its end.
class ClientRun {
 public:
  ClientRun(const std::vector<std::string>& argv, const CommandRequest& request, OutputSink& sink)
      : child_(argv), feed_(request), clocks_(request.clocks), sink_(sink) {}

  CommandOutcome drive(const CancelSignal& abort) {
    while (child_.standard_output() || child_.standard_error()) {
      feed_input();
      if (feed_.refused()) throw Error(Code::refused, "sudo does not take the password");
      check_clocks();
      wait(abort);
      take(child_.standard_output(), Stream::out);
      take(child_.standard_error(), Stream::err);
    }
    if (const std::string rest = feed_.finish_error(); !rest.empty()) pass_on(Stream::err, rest);
    return judge(child_.wait(kGoodbye));
  }

 private:
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

  void check_clocks() const {
    const TimePoint now = Clock::now();
    if (clocks_.total && now >= start_ + *clocks_.total) throw Error(Code::timeout, "command ran into its timeout");
    if (clocks_.idle && now >= last_output_ + *clocks_.idle)
      throw Error(Code::timeout, "command was silent for longer than its idle timeout");
  }

  void wait(const CancelSignal& abort) {
    TimePoint until = Clock::now() + std::chrono::hours(1);
    if (clocks_.total) until = std::min(until, start_ + *clocks_.total);
    if (clocks_.idle) until = std::min(until, last_output_ + *clocks_.idle);
    if (child_.standard_input() && pending_.empty() && feed_.may_grow())
      until = std::min(until, Clock::now() + InputFeed::kAskAgain);
    std::array<pollfd, 4> set{
        {{.fd = child_.standard_output().get(), .events = POLLIN, .revents = 0},
         {.fd = child_.standard_error().get(), .events = POLLIN, .revents = 0},
         {.fd = pending_.empty() ? -1 : child_.standard_input().get(), .events = POLLOUT, .revents = 0},
         {.fd = abort.fd(), .events = POLLIN, .revents = 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    ::poll(set.data(), set.size(), static_cast<int>(std::max<long>(left, 0)));
    if (!abort.raised()) return;
    child_.signal(SIGTERM);
    child_.wait(kGoodbye);
    throw Error(Code::cancelled, "interrupted while the command ran");
  }

  void take(base::UniqueFd& fd, Stream stream) {
    std::array<char, 32768> piece{};
    while (fd) {
      const ssize_t n = ::read(fd.get(), piece.data(), piece.size());
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (n <= 0) return fd.reset();
      const std::string_view bytes(piece.data(), static_cast<std::size_t>(n));
      if (stream == Stream::out) {
        pass_on(stream, bytes);
      } else if (const std::string own = feed_.filter_error(bytes); !own.empty()) {
        pass_on(stream, own);
      }
    }
  }

  // The client's own messages come on the command's standard error. They are held back until it is clear that they are
  // not the reason of a failed connection.
  void pass_on(Stream stream, std::string_view bytes) {
    last_output_ = Clock::now();
    if (!connected_ && stream == Stream::err && reason_.size() + bytes.size() <= kReasonBytes) {
      reason_ += bytes;
      return;
    }
    release();
    sink_.output(stream, bytes);
  }

  void release() {
    connected_ = true;
    if (!reason_.empty()) sink_.output(Stream::err, std::exchange(reason_, {}));
  }

  CommandOutcome judge(const base::ExitStatus& status) {
    if (status.signal != 0)
      throw Error(Code::unreachable, "OpenSSH's client was ended by signal " + std::to_string(status.signal));
    // A command may exit with 255 too; the client always says why when it is its own.
    if (status.code == kClientFailed && !connected_ && !reason_.empty()) {
      while (!reason_.empty() && (reason_.back() == '\n' || reason_.back() == '\r')) reason_.pop_back();
      std::replace(reason_.begin(), reason_.end(), '\n', ' ');
      const bool refused = reason_.find("Permission denied") != std::string::npos ||
                           reason_.find("Host key verification failed") != std::string::npos;
      throw Error(refused ? Code::key : Code::unreachable, reason_);
    }
    release();
    return {.status = status.code, .signal = {}, .output_cut = false};
  }

  base::ChildProcess child_;
  InputFeed feed_;
  const CommandClocks& clocks_;
  OutputSink& sink_;
  std::string pending_, reason_;
  bool connected_ = false;
  TimePoint start_ = Clock::now(), last_output_ = start_;
};

}  // namespace

std::vector<std::string> openssh_arguments(const Target& target, Interaction interaction) {
  std::vector<std::string> arguments{"ssh"};
  if (!target.ssh_config_file.empty()) arguments.insert(arguments.end(), {"-F", target.ssh_config_file});
  arguments.insert(arguments.end(), target.openssh_args.begin(), target.openssh_args.end());
  if (interaction == Interaction::batch) {
    add_option(arguments, "BatchMode=yes");
    add_option(arguments, "EscapeChar=none");
    add_option(arguments, "ServerAliveInterval=15");
  }
  const auto timeout = std::chrono::ceil<std::chrono::seconds>(target.connect_timeout).count();
  add_option(arguments, "ConnectTimeout=" + std::to_string(std::max<long>(timeout, 1)));
  add_option(arguments, "HostName=" + target.address);
  add_option(arguments, "Port=" + std::to_string(target.session.port));
  add_option(arguments, "User=" + target.session.user);
  add_option(arguments, checking_of(target.host_key_mode));
  for (const auto& file : target.identity_files) add_option(arguments, "IdentityFile=" + option_word(file));
  if (target.only_these_identities) add_option(arguments, "IdentitiesOnly=yes");
  if (!target.jumps.empty()) add_option(arguments, "ProxyJump=" + jump_list(target.jumps));
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
  // The name the user's `Host` patterns know it by.
  arguments.insert(arguments.end(), {"--", target.ssh_config_host});
  return arguments;
}

CommandOutcome run_over_openssh(const Target& target, const CommandRequest& request, OutputSink& sink,
                                const CancelSignal& abort) {
  auto argv = openssh_arguments(target, Interaction::batch);
  argv.push_back(request.command);
  return ClientRun(argv, request, sink).drive(abort);
}

}  // namespace muster::ssh
