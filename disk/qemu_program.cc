#include "disk/qemu_program.h"

#include <array>
#include <cerrno>
#include <filesystem>

#include <poll.h>
#include <unistd.h>

#include "base/child_process.h"
#include "disk/stop_signal.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kComplaintBytes = 16U << 10;
constexpr int kShellFindsNoProgram = 127;
// For a program that closed its output and does not end.
constexpr std::chrono::milliseconds kEndPatience{5'000};

const char* const kNotInstalled = "qemu-img and qemu-nbd are not installed: install qemu-utils";

// What comes of one pipe, as far as it is wanted.
struct Caught {
  base::UniqueFd& pipe;
  std::size_t limit;
  std::string text = {};
  bool overflowed = false;

  void take() {
    std::array<char, 65536> piece{};
    const ssize_t got = ::read(pipe.get(), piece.data(), piece.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return pipe.reset();
    const auto room = limit - text.size();
    overflowed |= static_cast<std::size_t>(got) > room;
    text.append(piece.data(), std::min(room, static_cast<std::size_t>(got)));
  }
};

// False: the deadline passed.
bool catch_all(const base::Context& ctx, Caught& out, Caught& err, base::TimePoint deadline) {
  const StopSignal stop(ctx.stop);
  while (out.pipe || err.pipe) {
    std::array<pollfd, 2> set{{{.fd = out.pipe.get(), .events = POLLIN, .revents = 0},
                               {.fd = err.pipe.get(), .events = POLLIN, .revents = 0}}};
    if (!stop.poll(set, deadline)) return false;
    if (set[0].revents != 0) out.take();
    if (set[1].revents != 0) err.take();
  }
  return true;
}

base::ChildProcess start(const std::vector<std::string>& argv) {
  try {
    return base::ChildProcess(argv, {.environment = {"LC_ALL=C"}});
  } catch (const Error& e) {
    if (e.code() == Code::not_found) throw Error(Code::unsupported, kNotInstalled);
    throw;
  }
}

std::string in_one_line(std::string_view text) {
  std::string line;
  for (const char c : text) line += c == '\n' ? std::string("; ") : std::string(1, c);
  while (line.ends_with("; ")) line.resize(line.size() - 2);
  return line;
}

}  // namespace

std::string run_qemu_program(const base::Context& ctx, const std::string& action, const std::vector<std::string>& argv,
                             const ProgramLimits& limits) {
  base::ChildProcess program = start(argv);
  program.standard_input().reset();
  Caught out{program.standard_output(), limits.output_bytes}, err{program.standard_error(), kComplaintBytes};
  if (!catch_all(ctx, out, err, base::Clock::now() + limits.patience))
    throw Error(Code::timeout, action + ": " + argv[0] + " did not end in time");
  const auto status = program.wait(kEndPatience);
  if (status.code != 0) throw qemu_error(action, status.code, err.text);
  if (out.overflowed) throw Error(Code::corrupt, action + ": more output than is believable");
  return out.text;
}

Error qemu_error(const std::string& action, int exit_code, std::string_view complaint) {
  if (exit_code == kShellFindsNoProgram) return {Code::unsupported, kNotInstalled};
  const std::string text = complaint.empty() ? "it ended without a word" : in_one_line(complaint);
  if (complaint.find("Is another process using") == std::string_view::npos) return {Code::io, action + ": " + text};
  return {Code::busy, action + ": it is in use, as by a machine that runs from it: " + text};
}

std::string path_for_qemu(const std::string& path) { return std::filesystem::absolute(path); }

}  // namespace muster::disk
