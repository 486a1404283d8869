#include "disk/guest_fish_session.h"

#include <algorithm>
#include <array>
#include <semaphore>

#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "disk/guest_program.h"
#include "disk/guest_uri.h"
#include "disk/stop_signal.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Context;
using base::Error;

constexpr std::chrono::seconds kStartPatience{30}, kLeavePatience{60}, kTick{1};
// A fleet, two at a time.
constexpr std::chrono::hours kTurnPatience{2};
constexpr int kNoGuestfish = 127, kAtOnce = 2;

// Says its number, and waits for a line, or the end of its standard input where this process was killed. What ends it
// then unmounts.
constexpr const char* kSessionScript =
    "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH\n"
    "command -v guestfish >/dev/null || exit 127\n"
    "said=$(guestfish --listen \"$@\") || exit 1\n"
    "eval \"$said\"; echo \"$GUESTFISH_PID\"\n"
    "read -r _ || rm -rf -- \"$0\"\n"
    "guestfish --remote=\"$GUESTFISH_PID\" exit || { kill \"$GUESTFISH_PID\"; exit 1; }\n";

std::counting_semaphore<kAtOnce>& turns() {
  static std::counting_semaphore<kAtOnce> all(kAtOnce);
  return all;
}

std::shared_ptr<void> await_turn(const Context& ctx, const std::string& name) {
  const auto deadline = base::Clock::now() + kTurnPatience;
  while (!turns().try_acquire_for(kTick)) {
    ctx.check_stop();
    if (base::Clock::now() >= deadline)
      throw Error(Code::timeout, "look into " + name + ": too many others are looked into by guestfish");
  }
  return {nullptr, [](void*) { turns().release(); }};
}

// Its own way to write a Unix socket.
std::string fish_uri(const std::string& uri) {
  const std::string whole = nbd_uri_of_socket(socket_of_nbd_uri(uri));
  return "nbd://" + whole.substr(whole.find('?'));
}

std::vector<std::string> command_line(const std::vector<MachineDisk>& disks, Access access,
                                      const std::string& directory) {
  std::vector<std::string> argv{"sh", "-c", kSessionScript, directory, access == Access::write ? "--rw" : "--ro"};
  for (const auto& disk : disks)
    if (disk.uri.empty())
      argv.insert(argv.end(), {std::string("--format=") + disk::name_of(disk.format), "-a", disk.path});
    else
      argv.insert(argv.end(), {"--format=raw", "-a", fish_uri(disk.uri)});
  return argv;
}

// The first line that it writes, or all of it where it ends before.
std::string first_line(const Context& ctx, int fd) {
  std::string line;
  const StopSignal stop(ctx.stop);
  const auto deadline = base::Clock::now() + kStartPatience;
  for (;;) {
    std::array<pollfd, 1> set{{{.fd = fd, .events = POLLIN, .revents = 0}}};
    if (!stop.poll(set, deadline)) throw Error(Code::timeout, "guestfish did not start in time");
    char c = 0;
    const ssize_t got = ::read(fd, &c, 1);
    if (got < 0) continue;
    if (got == 0 || c == '\n') return line;
    line += c;
  }
}

Error launch_error(const std::string& name, const std::string& complaint) {
  // QEMU's, of its locks.
  const bool busy = complaint.find("Failed to get") != std::string::npos && complaint.find("lock") != std::string::npos;
  return {busy ? Code::busy : Code::io,
          "look into " + name + ": guestfish's machine does not start: " + complaint.substr(0, 500)};
}

}  // namespace

FishSession::FishSession(const Context& ctx, std::vector<MachineDisk> disks, Access access, std::string name,
                         const std::string& temporary_directory)
    : disks_(std::move(disks)), name_(std::move(name)), directory_(temporary_directory), turn_(await_turn(ctx, name_)) {
  try {
    launch(ctx, access, "");
  } catch (const Error& e) {
    if (e.code() != Code::io) throw;
    launch(ctx, access, "LIBGUESTFS_BACKEND_SETTINGS=force_tcg");
  }
}

FishSession::~FishSession() { end(); }

void FishSession::launch(const Context& ctx, Access access, const char* settings) {
  auto environment = guest_program_environment();
  if (*settings != '\0') environment.emplace_back(settings);
  program_ = std::make_unique<base::ChildProcess>(command_line(disks_, access, directory_.path()),
                                                  base::ChildProcess::Options{.environment = environment});
  number_ = first_line(ctx, program_->standard_output().get());
  if (number_.empty() || number_.find_first_not_of("0123456789") != std::string::npos) {
    number_.clear();
    const int code = program_->wait(kLeavePatience).code;
    if (code == kNoGuestfish)
      throw Error(Code::unsupported, "look into " + name_ + ": guestfish is not installed: install guestfish");
    throw launch_error(name_, "it ended at once: " + complaint());
  }
  const auto launched = ask(ctx, {"run"});
  if (launched.complaint.empty()) return;
  end();
  throw launch_error(name_, launched.complaint);
}

int FishSession::end() {
  if (!program_) return 0;
  // Where it is gone already, nobody reads it.
  [[maybe_unused]] const ssize_t written = ::write(program_->standard_input().get(), "\n", 1);
  program_->standard_input().reset();
  const int code = program_->wait(kLeavePatience).code;
  program_.reset();
  return code;
}

void FishSession::close(const Context& ctx) {
  tell(ctx, {"umount-all"});
  // What QEMU has of it, too.
  tell(ctx, {"shutdown"});
  if (end() != 0)
    throw Error(Code::io, name_ + ": what was written to it may not be there: guestfish did not end well");
}

// What it has written on standard error since the last look: only standard output goes to who asked.
std::string FishSession::complaint() const {
  std::string text;
  std::array<char, 4096> piece{};
  for (ssize_t got = 0; (got = ::read(program_->standard_error().get(), piece.data(), piece.size())) > 0;)
    text.append(piece.data(), static_cast<std::size_t>(got));
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

FishSession::Answer FishSession::ask(const Context& ctx, std::vector<std::string> words) const {
  complaint();
  // Else the first thing that fails would end it.
  words.front().insert(0, 1, '-');
  words.insert(words.begin(), {"guestfish", "--remote=" + number_, "--"});
  auto output = run_guest_program(
      ctx,
      {.action = "look into " + name_, .argv = std::move(words), .package = "guestfish", .patience = kFishPatience},
      kMostBytes);
  return {.text = std::move(output.text), .complaint = output.end.complaint + complaint()};
}

std::string FishSession::tell(const Context& ctx, std::vector<std::string> words) const {
  const std::string command = words.front();
  auto answer = ask(ctx, std::move(words));
  if (answer.complaint.empty()) return std::move(answer.text);
  throw Error(Code::io, "look into " + name_ + ": " + command + ": " + answer.complaint);
}

}  // namespace muster::disk
