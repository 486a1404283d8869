#include "disk/guest_program.h"

#include <array>
#include <cerrno>

#include <poll.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/error.h"
#include "base/quantity.h"
#include "disk/stop_signal.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kComplaintBytes = 16U << 10;
constexpr int kShellFindsNoProgram = 127;
constexpr std::chrono::milliseconds kEndPatience{5'000};

// Debian has them where only root's shell looks.
constexpr const char* kScript = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH; exec \"$@\"";

std::vector<std::string> command_line(const GuestProgram& program) {
  std::vector<std::string> argv{"sh", "-c", kScript, "sh"};
  argv.insert(argv.end(), program.argv.begin(), program.argv.end());
  return argv;
}

// What is there of a pipe, which is closed at its end.
void take_piece(base::UniqueFd& pipe, const std::function<void(std::string_view)>& take) {
  std::array<char, 65536> piece{};
  const ssize_t got = ::read(pipe.get(), piece.data(), piece.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return pipe.reset();
  take({piece.data(), static_cast<std::size_t>(got)});
}

std::string on_one_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 2))
    text.replace(at, 1, "; ");
  return text;
}

}  // namespace

// Their messages are looked at. No pager of debugfs comes in between, and no libvirtd is asked for guestfish's machine.
const std::vector<std::string>& guest_program_environment() {
  static const std::vector<std::string> environment{"LC_ALL=C", "DEBUGFS_PAGER=__none__", "LIBGUESTFS_BACKEND=direct"};
  return environment;
}

GuestProgramEnd run_guest_program(const base::Context& ctx, const GuestProgram& program,
                                  const std::function<void(std::string_view)>& take) {
  base::ChildProcess child(command_line(program), {.environment = guest_program_environment()});
  child.standard_input().reset();
  auto &out = child.standard_output(), &err = child.standard_error();
  std::string complaint;
  const StopSignal stop(ctx.stop);
  while (out || err) {
    std::array<pollfd, 2> set{
        {{.fd = out.get(), .events = POLLIN, .revents = 0}, {.fd = err.get(), .events = POLLIN, .revents = 0}}};
    if (!stop.poll(set, base::Clock::now() + program.patience))
      throw Error(Code::timeout, program.action + ": " + program.argv[0] + " said nothing for " +
                                     base::format_duration(program.patience));
    if (set[0].revents != 0) take_piece(out, take);
    if (set[1].revents != 0)
      take_piece(err, [&](std::string_view text) {
        complaint.append(text.substr(0, kComplaintBytes - std::min(kComplaintBytes, complaint.size())));
      });
  }
  const auto status = child.wait(kEndPatience);
  if (status.code == kShellFindsNoProgram)
    throw Error(Code::unsupported,
                program.action + ": " + program.argv[0] + " is not installed: install " + program.package);
  return {status.code, on_one_line(std::move(complaint))};
}

GuestProgramOutput run_guest_program(const base::Context& ctx, const GuestProgram& program, std::size_t most_bytes) {
  GuestProgramOutput output;
  output.end = run_guest_program(ctx, program, [&](std::string_view piece) {
    if (output.text.size() + piece.size() > most_bytes)
      throw Error(Code::corrupt, program.action + ": " + program.argv[0] + " says more than is believable");
    output.text += piece;
  });
  return output;
}

}  // namespace muster::disk
