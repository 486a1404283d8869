#include "cli/backup_hooks.h"

#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/error.h"
#include "disk/stop_signal.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr std::chrono::minutes kPatience{15};
constexpr std::chrono::seconds kEndPatience{10};
constexpr std::string_view kInGuest = "guest:";
constexpr std::size_t kToldBytes = 2000;

std::vector<std::string> command_line(const Program& program, const std::string& command, const HookFacts& facts) {
  if (!command.starts_with(kInGuest)) return {"sh", "-c", command};
  if (facts.host.empty()) throw Error(Code::usage, "'" + command + "': an area of this machine has no guest");
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe");
  std::vector<std::string> argv{own.parent_path() / "muster-run", "--no-prefix", "-q"};
  for (const auto& inventory : program.settings.list("inventory")) argv.insert(argv.end(), {"-i", inventory});
  argv.insert(argv.end(), {facts.host, "--", command.substr(kInGuest.size())});
  return argv;
}

// Takes what comes, and keeps its end.
void take(pollfd& set, std::string& told) {
  if (set.revents == 0) return;
  std::array<char, 4096> piece{};
  const ssize_t n = ::read(set.fd, piece.data(), piece.size());
  if (n > 0) told.append(piece.data(), static_cast<std::size_t>(n));
  if (told.size() > 2 * kToldBytes) told.erase(0, told.size() - kToldBytes);
  if (n == 0) set.fd = -1;
}

void run_hook(const Program& program, const base::Context& ctx, const std::string& command, const HookFacts& facts) {
  base::ChildProcess child(
      command_line(program, command, facts),
      {.environment = {"MUSTER_NAME=" + facts.name, "MUSTER_URI=" + facts.uri, "MUSTER_DOMAIN=" + facts.domain,
                       "MUSTER_STATUS=" + facts.status, "MUSTER_POINT=" + facts.point}});
  child.standard_input().reset();
  const disk::StopSignal stop(ctx.stop);
  const auto deadline = base::Clock::now() + kPatience;
  std::string told;
  std::array<pollfd, 3> set{{{.fd = child.standard_output().get(), .events = POLLIN, .revents = 0},
                             {.fd = child.standard_error().get(), .events = POLLIN, .revents = 0},
                             {.fd = child.ended_fd(), .events = POLLIN, .revents = 0}}};
  while (set[2].revents == 0) {
    // Its end is the child's, not that of what it left running.
    if (!stop.poll(set, deadline)) throw Error(Code::timeout, "'" + command + "' did not end in time");
    take(set[0], told);
    take(set[1], told);
  }
  const auto ended = child.wait(kEndPatience);
  if (ended.code == 0) return;
  told.erase(told.find_last_not_of(" \n") + 1);
  if (told.size() > kToldBytes) told.erase(0, told.size() - kToldBytes);
  const std::string how =
      ended.signal != 0 ? fmt::format("signal {}", ended.signal) : fmt::format("status {}", ended.code);
  throw Error(Code::refused, fmt::format("'{}' ended with {}{}{}", command, how, told.empty() ? "" : ": ", told));
}

}  // namespace

void run_hooks(const Program& program, const base::Context& ctx, const std::vector<std::string>& commands,
               const HookFacts& facts) {
  for (const auto& command : commands) run_hook(program, ctx, command, facts);
}

}  // namespace muster::cli
