#include "cli/console.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/environment.h"

namespace muster::cli {
namespace {

constexpr std::string_view kEraseLine = "\r\x1b[K";
// What a pipe that can be written takes without making us wait.
constexpr std::size_t kPieceBytes = 4096;
// How long a reader is waited for once the command was told to stop, and how long to get a word in edgeways.
constexpr int kLastPatienceMs = 1'000;
constexpr std::chrono::milliseconds kAnnouncePatience{200};

bool is_file(int fd) {
  struct stat st {};
  return ::fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

bool writable(int fd, std::chrono::milliseconds patience) {
  pollfd p{.fd = fd, .events = POLLOUT, .revents = 0};
  return ::poll(&p, 1, static_cast<int>(patience.count())) > 0;
}

// False: the stop came, and the reader does not read.
bool wait_for_reader(int fd, const ssh::CancelSignal& stop) {
  for (;;) {
    const bool stopped = stop.raised();
    std::array<pollfd, 2> set{{{.fd = fd, .events = POLLOUT, .revents = 0},
                               {.fd = stopped ? -1 : stop.fd(), .events = POLLIN, .revents = 0}}};
    const int n = ::poll(set.data(), set.size(), stopped ? kLastPatienceMs : -1);
    if (set[0].revents != 0) return true;
    if (n == 0) return false;
  }
}

}  // namespace

Console::Console(const std::stop_token& stop)
    : stop_(stop),
      out_{.fd = STDOUT_FILENO, .is_file = is_file(STDOUT_FILENO)},
      err_{.fd = STDERR_FILENO, .is_file = is_file(STDERR_FILENO)},
      output_is_terminal_(on_terminal(STDOUT_FILENO)),
      error_is_terminal_(on_terminal(STDERR_FILENO)) {}

// Returns 0 or an errno. A write into a pipe or to a terminal may never end; a small piece ends with the wait before
// it.
int Console::write_waiting(const Stream& stream, std::string_view text) const {
  while (!text.empty()) {
    if (!stream.is_file && !wait_for_reader(stream.fd, stop_)) return ETIMEDOUT;
    const ssize_t n =
        ::write(stream.fd, text.data(), stream.is_file ? text.size() : std::min(text.size(), kPieceBytes));
    if (n >= 0)
      text.remove_prefix(static_cast<std::size_t>(n));
    else if (errno != EINTR && errno != EAGAIN)
      return errno;
  }
  return 0;
}

void Console::write_locked(Stream& stream, std::string_view text) {
  if (text.empty() || stream.broken) return;
  if (const int error = write_waiting(stream, text); error != 0) {
    stream.broken = true;
    // Where standard error is gone there is nobody left to be told.
    if (&stream == &out_) output_failed(error);
    return;
  }
  at_line_start_ = text.back() == '\n';
}

// The command ends, by its own ways.
void Console::output_failed(int error) {
  if (error == EPIPE)
    reader_gone_ = true;
  else
    output_error_.emplace(error == ENOSPC || error == EDQUOT ? base::Code::no_space : base::Code::io,
                          "standard output: " + base::errno_text(error));
  if (on_broken_) on_broken_(base::errno_text(error));
}

bool Console::broken() const {
  const std::lock_guard lock(mutex_);
  return out_.broken;
}

std::optional<base::Error> Console::output_error() const {
  const std::lock_guard lock(mutex_);
  return output_error_;
}

void Console::hide_progress() {
  if (!progress_shown_) return;
  write_locked(err_, kEraseLine);
  at_line_start_ = true;
  progress_shown_ = false;
}

void Console::show_progress() {
  if (progress_.empty() || !at_line_start_ || progress_shown_) return;
  write_locked(err_, progress_);
  progress_shown_ = true;
}

void Console::out(std::string_view text) {
  out_in_pieces([&](const auto& write) { write(text); });
}

void Console::err(std::string_view text) {
  err_in_pieces([&](const auto& write) { write(text); });
}

void Console::announce(std::string_view text) {
  const std::unique_lock lock(mutex_, kAnnouncePatience);
  if (!lock || !writable(STDERR_FILENO, kAnnouncePatience)) return;
  hide_progress();
  write_locked(err_, text);
  show_progress();
}

void Console::out_in_pieces(const Pieces& pieces) {
  const std::lock_guard lock(mutex_);
  if (output_is_terminal_) hide_progress();
  pieces([this](std::string_view piece) { write_locked(out_, piece); });
  if (output_is_terminal_) show_progress();
}

void Console::err_in_pieces(const Pieces& pieces) {
  const std::lock_guard lock(mutex_);
  hide_progress();
  pieces([this](std::string_view piece) { write_locked(err_, piece); });
  show_progress();
}

void Console::progress(const std::string& text) {
  if (!error_is_terminal_) return;
  const std::lock_guard lock(mutex_);
  if (text == progress_) return;
  hide_progress();
  progress_ = text;
  show_progress();
}

}  // namespace muster::cli
