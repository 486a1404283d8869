#include "cli/run_prompt.h"

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/connect_options.h"
#include "cli/environment.h"
#include "cli/exit_status.h"
#include "cli/fleet_selection.h"
#include "parallel-ssh/cancel.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kMaxLineBytes = 1U << 20;
constexpr int kFirstSecretFd = 10;  // in the child, above the standard streams
constexpr int kStoppedBySignal = 128;

struct Secret {
  std::string option;
  std::string text;
};

// Standard input, cut into lines.
class LineReader {
 public:
  explicit LineReader(const ssh::CancelSignal& stop) : stop_(stop) {}

  // nullopt at the end of input, or when stopped.
  std::optional<std::string> next() {
    for (;;) {
      if (const std::size_t end = held_.find('\n'); end != std::string::npos) {
        std::string line = held_.substr(0, end);
        held_.erase(0, end + 1);
        return line;
      }
      if (held_.size() > kMaxLineBytes) throw Error(Code::usage, "a command is longer than 1 MiB");
      if (!read_more()) return held_.empty() || stop_.raised() ? std::nullopt : std::optional(std::exchange(held_, {}));
    }
  }

 private:
  bool read_more() {
    std::array<pollfd, 2> set{
        {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}, {.fd = stop_.fd(), .events = POLLIN, .revents = 0}}};
    while (::poll(set.data(), set.size(), -1) < 0)
      if (errno != EINTR) base::throw_errno("wait for a command");
    if (stop_.raised()) return false;
    std::array<char, 4096> piece{};
    const ssize_t n = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (n < 0 && errno != EINTR && errno != EAGAIN) base::throw_errno("read a command");
    if (n > 0) held_.append(piece.data(), static_cast<std::size_t>(n));
    return n != 0;
  }

  const ssh::CancelSignal& stop_;
  std::string held_;
};

// A `muster run` that has the terminal while it runs, as a shell gives it to its jobs: what is typed there, Ctrl-C
// included, is the child's.
class ForegroundChild {
 public:
  ForegroundChild(std::vector<std::string> arguments, const std::vector<Secret>& secrets, bool has_terminal)
      : has_terminal_(has_terminal) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    // Duplicated before standard input goes: that is the descriptor of the terminal.
    if (has_terminal_) posix_spawn_file_actions_addtcsetpgrp_np(&actions_, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    std::vector<base::Pipe> pipes;
    for (const auto& secret : secrets) {
      const int fd = kFirstSecretFd + static_cast<int>(pipes.size());
      pipes.push_back(base::make_pipe());
      base::write_all(pipes.back().write_end.get(), secret.text + "\n");
      pipes.back().write_end.reset();
      posix_spawn_file_actions_adddup2(&actions_, pipes.back().read_end.get(), fd);
      arguments.insert(arguments.begin() + 1, fmt::format("--{}={}", secret.option, fd));
    }
    start(arguments);
  }
  ForegroundChild(const ForegroundChild&) = delete;
  ForegroundChild& operator=(const ForegroundChild&) = delete;
  ~ForegroundChild() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  // Waits as long as the command takes, which has its own deadlines. Passes on that we were told to end.
  int wait(const ssh::CancelSignal& stop) {
    const base::UniqueFd ended(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    std::array<pollfd, 2> set{
        {{.fd = ended.get(), .events = POLLIN, .revents = 0}, {.fd = stop.fd(), .events = POLLIN, .revents = 0}}};
    while (ended && set[0].revents == 0) {
      if (::poll(set.data(), set.size(), -1) < 0 && errno != EINTR) break;
      if (set[1].revents == 0) continue;
      ::kill(pid_, SIGTERM);
      set[1].fd = -1;
    }
    int raw = 0;
    while (::waitpid(pid_, &raw, 0) < 0 && errno == EINTR) continue;
    if (has_terminal_) ::tcsetpgrp(STDIN_FILENO, ::getpgrp());
    return WIFEXITED(raw) ? WEXITSTATUS(raw) : kStoppedBySignal + WTERMSIG(raw);
  }

 private:
  void start(std::vector<std::string>& arguments) {
    sigset_t none, to_default;
    sigemptyset(&none);
    sigemptyset(&to_default);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGTTOU}) sigaddset(&to_default, number);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &to_default);
    posix_spawnattr_setpgroup(&attributes_, 0);
    const int own_group = has_terminal_ ? POSIX_SPAWN_SETPGROUP : 0;
    posix_spawnattr_setflags(&attributes_,
                             static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | own_group));
    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    const int error = ::posix_spawn(&pid_, "/proc/self/exe", &actions_, &attributes_, pointers.data(), environ);
    if (error != 0) base::throw_errno("start the command", error);
  }

  bool has_terminal_;
  pid_t pid_ = -1;
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

void check_prompt_options(const Program& program) {
  const auto& words = program.arguments.words;
  if (words.size() > 1) throw Error(Code::usage, "--interactive reads its commands: leave out '" + words[1] + "'");
  for (const char* option : {"stdin", "script", "argv"})
    if (program.settings.given_now(option))
      throw Error(Code::usage, std::string("--interactive and --") + option + " exclude each other");
}

// The options we were given, for each command again.
std::vector<std::string> repeated_arguments(const Arguments& arguments) {
  std::vector<std::string> argv{"muster-run"};
  for (const auto& [name, values] : arguments.options) {
    if (name == "interactive" || name == "ask-pass" || name == "ask-sudo-pass") continue;
    if (values.empty()) argv.push_back("--" + name);
    for (const auto& value : values) argv.push_back("--" + name + "=" + value);
  }
  argv.push_back(arguments.words.front());
  argv.emplace_back("--");
  return argv;
}

std::string trimmed(const std::string& line) {
  const auto first = line.find_first_not_of(" \t\r");
  return first == std::string::npos ? "" : line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

int prompt_for_commands(const Program& program) {
  check_prompt_options(program);
  const std::size_t hosts = [&] {
    const auto inventory = load_inventory(program);
    const auto selection = select_hosts(program, inventory, program.arguments.words.front());
    return selection.hosts.size() + (selection.implicit_localhost ? 1 : 0);
  }();
  std::vector<Secret> secrets;
  for (const auto& [option, question] :
       {std::pair{"ask-pass", "login password: "}, std::pair{"ask-sudo-pass", "sudo password: "}})
    if (auto text = asked_secret(program, option, question)) secrets.push_back({option, std::move(*text)});

  const std::vector<std::string> repeated = repeated_arguments(program.arguments);
  const bool has_terminal = on_terminal(STDIN_FILENO);
  // Not to be stopped where nobody would continue us: by Ctrl-Z, or by taking the terminal back.
  for (const int number : {SIGTSTP, SIGTTOU}) ::signal(number, SIG_IGN);
  const ssh::CancelSignal drain(program.interrupts.drain()), abort(program.interrupts.abort());
  LineReader lines(drain);
  int status = kAllWorked;
  for (;;) {
    if (has_terminal) program.console.err(fmt::format("{} ({})> ", program.arguments.words.front(), hosts));
    const auto line = lines.next();
    if (!line) break;
    const std::string command = trimmed(*line);
    if (command == "exit" || command == "quit") return status;
    if (command.empty()) continue;
    auto arguments = repeated;
    arguments.push_back(command);
    status = ForegroundChild(std::move(arguments), secrets, has_terminal).wait(abort);
  }
  if (has_terminal) program.console.err("\n");
  return program.interrupts.interrupted() ? kInterrupted : status;
}

}  // namespace muster::cli
