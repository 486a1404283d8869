// muster vm console: the serial console of a machine on this terminal. The console is opened by a worker program of its
// own, whose pipes are the console; what is done to the terminal is done, and undone, here.
#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/environment.h"
#include "cli/error_json.h"
#include "cli/exit_status.h"
#include "cli/machine_source.h"
#include "cli/terminal_mode.h"
#include "cli/vm_commands.h"
#include "parallel-ssh/cancel.h"

namespace muster::cli {
namespace {

using base::Clock;
using base::Code;
using base::Error;
using nlohmann::json;

constexpr char kEscape = '\x1d';  // ^]
constexpr std::size_t kMaxHeldBytes = 64U << 10;
constexpr std::chrono::seconds kEndPatience{2};

// A read that has to wait gives nothing; the end of a stream, or an error, is nullopt.
std::optional<std::string> read_some(int fd) {
  std::array<char, 4096> piece{};
  const ssize_t n = ::read(fd, piece.data(), piece.size());
  if (n > 0) return std::string(piece.data(), static_cast<std::size_t>(n));
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return "";
  return std::nullopt;
}

enum class End { left, over, interrupted };

class ConsoleSession {
 public:
  ConsoleSession(const Program& program, const VmTarget& target)
      : target_(target), stop_(program.interrupts.drain()), child_(words_of(program, target)) {}

  // Throws what the worker says went wrong, base::Error{unreachable} when it says nothing within `patience`.
  void wait_until_open(std::chrono::milliseconds patience) {
    const auto deadline = Clock::now() + patience;
    std::string line;
    while (line.find('\n') == std::string::npos) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
      std::array<pollfd, 2> set{{readable(child_.standard_error().get()), readable(stop_.fd())}};
      if (left.count() <= 0 || ::poll(set.data(), set.size(), static_cast<int>(left.count())) == 0)
        throw Error(Code::unreachable,
                    target_.uri + ": no console within " + base::format_duration(patience) + "; --connect-timeout");
      if (set[1].revents != 0) throw Error(Code::cancelled, "interrupted connecting to " + target_.uri);
      const auto piece = read_some(child_.standard_error().get());
      if (!piece) throw Error(Code::unreachable, "the worker of " + target_.uri + " ended unexpectedly");
      line += *piece;
    }
    const json answer = json::parse(line, nullptr, false);
    if (answer.is_object() && answer.contains("error")) throw error_from_json(answer["error"]);
  }

  // Until either side ends it.
  End run() {
    const TerminalMode mode(TerminalMode::Kind::raw);
    for (;;) {
      const int to_guest = child_.standard_input().get();
      std::array<pollfd, 4> set{{readable(held_.size() < kMaxHeldBytes ? STDIN_FILENO : -1),
                                 readable(child_.standard_output().get()),
                                 readable(stop_.fd()),
                                 {.fd = held_.empty() ? -1 : to_guest, .events = POLLOUT, .revents = 0}}};
      if (::poll(set.data(), set.size(), -1) < 0) continue;
      if (set[2].revents != 0) return End::interrupted;
      if (set[1].revents != 0 && !show()) return End::over;
      if (set[0].revents != 0 && !take_keys()) return End::left;
      if (set[3].revents != 0 && !send()) return End::over;
    }
  }

  void finish() {
    child_.standard_input().reset();
    child_.wait(kEndPatience);
  }

 private:
  static std::vector<std::string> words_of(const Program& program, const VmTarget& target) {
    return {worker_program(), "--console", target.uri, target.domain,
            program.settings.flag("force") ? "take-over" : "if-free"};
  }
  static pollfd readable(int fd) { return {.fd = fd, .events = POLLIN, .revents = 0}; }

  bool show() {
    const auto piece = read_some(child_.standard_output().get());
    if (piece) base::write_all(STDOUT_FILENO, *piece);
    return piece.has_value();
  }
  bool take_keys() {
    const auto keys = read_some(STDIN_FILENO);
    if (!keys) return false;
    const std::size_t escape = keys->find(kEscape);
    held_ += keys->substr(0, escape);
    return escape == std::string::npos;
  }
  bool send() {
    const ssize_t n = ::write(child_.standard_input().get(), held_.data(), held_.size());
    if (n > 0) held_.erase(0, static_cast<std::size_t>(n));
    return n >= 0 || errno == EAGAIN || errno == EINTR;
  }

  const VmTarget& target_;
  ssh::CancelSignal stop_;
  base::ChildProcess child_;
  std::string held_;  // typed and not yet sent
};

}  // namespace

int vm_console(const VerbCommand& command) {
  const Program& program = command.program;
  if (program.json()) throw Error(Code::usage, "a console is for people: leave out --json");
  if (!on_terminal(STDIN_FILENO) || !on_terminal(STDOUT_FILENO))
    throw Error(Code::usage, "a console wants a terminal as standard input and output");
  const VmTarget target = one_machine(command, command.only_word(), Purpose::look);
  ConsoleSession session(program, target);
  session.wait_until_open(connect_patience(program.settings));
  program.ctx.note("on the console of " + target.name + "; ^] leaves it");
  const End end = session.run();
  session.finish();
  if (end == End::interrupted) return program.console.err("\n"), kInterrupted;
  program.ctx.note(end == End::left ? "left" : "the console of " + target.name + " has ended");
  return kAllWorked;
}

}  // namespace muster::cli
