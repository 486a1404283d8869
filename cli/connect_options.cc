#include "cli/connect_options.h"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/environment.h"
#include "parallel-ssh/wait.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kMaxSecretBytes = 1024;
constexpr std::chrono::hours kSecretPatience{24};

// Byte by byte, because what follows the line is for somebody else. Throws base::Error{cancelled}.
std::optional<std::string> first_line(int fd, const std::stop_token& stop) {
  const ssh::CancelSignal cancel(stop);
  std::string line;
  for (char c = 0; line.size() <= kMaxSecretBytes; line += c) {
    ssh::wait_for(fd, POLLIN, {base::Clock::now() + kSecretPatience, &cancel}, "waiting for a password");
    if (::read(fd, &c, 1) != 1 || c == '\n') return line;
  }
  return std::nullopt;
}

// Switches the terminal's echo off for as long as it lives.
class NoEcho {
 public:
  explicit NoEcho(int fd) : fd_(fd), changed_(::tcgetattr(fd, &before_) == 0) {
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (changed_) ::tcsetattr(fd_, TCSAFLUSH, &silent);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;
  ~NoEcho() {
    if (changed_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
  }

 private:
  int fd_;
  termios before_{};
  bool changed_;
};

ssh::HostKeyMode host_key_mode(const Program& program, const std::string& text) {
  if (text == "strict") return ssh::HostKeyMode::strict;
  if (text == "accept-new") return ssh::HostKeyMode::accept_new;
  if (text != "none") program.settings.reject("host-keys", "'" + text + "': write strict, accept-new or none");
  program.ctx.warn("host keys are not checked: anybody on the way can read and change what is sent");
  return ssh::HostKeyMode::none;
}

ssh::Transport transport(const Program& program, const std::string& text) {
  if (text == "auto") return ssh::Transport::automatic;
  if (text == "libssh") return ssh::Transport::libssh;
  if (text == "openssh") return ssh::Transport::openssh;
  program.settings.reject("transport", "'" + text + "': write auto, libssh or openssh");
}

}  // namespace

std::optional<std::string> answer_on_terminal(const std::string& question, const std::stop_token& stop) {
  const base::UniqueFd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!terminal) return std::nullopt;
  base::write_all(terminal.get(), question);
  return first_line(terminal.get(), stop);
}

std::optional<std::string> ask_on_terminal(const std::string& prompt, const std::stop_token& stop) {
  const base::UniqueFd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!terminal) return std::nullopt;
  std::optional<std::string> line;
  {
    const NoEcho silent(terminal.get());  // before the prompt: who waits for it may answer at once
    base::write_all(terminal.get(), prompt);
    line = first_line(terminal.get(), stop);
  }
  base::write_all(terminal.get(), "\n");
  return line;
}

ssh::CommandClocks command_clocks(const Settings& settings) {
  ssh::CommandClocks clocks;
  clocks.total = settings.duration("timeout");
  clocks.idle = settings.duration("idle-timeout");
  clocks.keepalive = settings.duration("keepalive").value_or(clocks.keepalive);
  if (clocks.keepalive < std::chrono::milliseconds(100)) settings.reject("keepalive", "at least 0.1s");
  return clocks;
}

std::optional<std::string> asked_secret(const Program& program, std::string_view option, const std::string& prompt) {
  if (!program.settings.given(option)) return std::nullopt;
  std::optional<std::string> secret;
  if (const auto fd = program.settings.integer(option, 0, 1'000'000)) {
    secret = first_line(static_cast<int>(*fd), program.interrupts.drain());
    if (*fd > STDERR_FILENO) ::fcntl(static_cast<int>(*fd), F_SETFD, FD_CLOEXEC);  // not for the programs we start
    if (!secret || secret->empty()) program.settings.reject(option, "no password can be read from that descriptor");
    return secret;
  }
  secret = ask_on_terminal(prompt, program.interrupts.drain());
  if (!secret) program.settings.reject(option, "there is no terminal to ask on; give a descriptor, as in =3");
  return secret;
}

ssh::KeyStore::AskPassphrase passphrase_on_terminal(const Program& program) {
  return [&program](const std::string& path) {
    return ask_on_terminal("passphrase of " + path + ": ", program.interrupts.drain());
  };
}

ssh::ConnectOptions connect_options(const Program& program) {
  const Settings& settings = program.settings;
  ssh::ConnectOptions options{.user = settings.text("user"),
                              .port = {},
                              .key_files = settings.list("key"),
                              .known_hosts_files = settings.list("known-hosts"),
                              .host_key_mode = {},
                              .connect_timeout = settings.duration("connect-timeout"),
                              .password = asked_secret(program, "ask-pass", "login password: "),
                              .transport = ssh::Transport::automatic,
                              .ssh_config_file = settings.text("ssh-config").value_or(""),
                              .home = home_directory(),
                              .local_user = user_name(),
                              .agent_socket = environment("SSH_AUTH_SOCK").value_or("")};
  if (const auto port = settings.integer("port", 1, 65535)) options.port = static_cast<std::uint16_t>(*port);
  if (const auto text = settings.text("host-keys")) options.host_key_mode = host_key_mode(program, *text);
  if (const auto text = settings.text("transport")) options.transport = transport(program, *text);
  return options;
}

ssh::SshConfig load_ssh_config(const Program& program) {
  using Kind = ssh::ConfigSource::Kind;
  using Presence = ssh::ConfigSource::Presence;
  const ssh::LocalFacts facts{.home = home_directory(),
                              .user = user_name(),
                              .host_name = host_name(),
                              .uid = ::getuid(),
                              .environment = [](const std::string& name) { return environment(name); }};
  if (const auto file = program.settings.text("ssh-config")) {
    if (*file == "none") return ssh::SshConfig::load(program.ctx, {}, facts);
    return ssh::SshConfig::load(program.ctx, {{*file, Kind::user, Presence::required}}, facts);
  }
  return ssh::SshConfig::load(program.ctx,
                              {{home_directory() + "/.ssh/config", Kind::user, Presence::optional},
                               {"/etc/ssh/ssh_config", Kind::system, Presence::optional}},
                              facts);
}

}  // namespace muster::cli
