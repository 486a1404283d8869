#include "cli/console.h"

#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/environment.h"

namespace muster::cli {
namespace {

constexpr std::string_view kEraseLine = "\r\x1b[K";

}  // namespace

Console::Console() : output_is_terminal_(on_terminal(STDOUT_FILENO)), error_is_terminal_(on_terminal(STDERR_FILENO)) {}

void Console::write_locked(int fd, std::string_view text) {
  if (text.empty() || (fd == STDOUT_FILENO && broken_)) return;
  try {
    base::write_all(fd, text);
    at_line_start_ = text.back() == '\n';
  } catch (const base::Error& e) {
    // Nobody is left to read it, and standard error may be as gone: the command ends, by its own ways.
    if (fd != STDOUT_FILENO) return;
    broken_ = true;
    if (on_broken_) on_broken_(e.what());
  }
}

void Console::hide_progress() {
  if (!progress_shown_) return;
  write_locked(STDERR_FILENO, kEraseLine);
  at_line_start_ = true;
  progress_shown_ = false;
}

void Console::show_progress() {
  if (progress_.empty() || !at_line_start_ || progress_shown_) return;
  write_locked(STDERR_FILENO, progress_);
  progress_shown_ = true;
}

void Console::out(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (output_is_terminal_) hide_progress();
  write_locked(STDOUT_FILENO, text);
  if (output_is_terminal_) show_progress();
}

void Console::err(std::string_view text) {
  const std::lock_guard lock(mutex_);
  hide_progress();
  write_locked(STDERR_FILENO, text);
  show_progress();
}

void Console::out_in_pieces(const std::function<void(const std::function<void(std::string_view)>& write)>& pieces) {
  const std::lock_guard lock(mutex_);
  if (output_is_terminal_) hide_progress();
  pieces([this](std::string_view piece) { write_locked(STDOUT_FILENO, piece); });
  if (output_is_terminal_) show_progress();
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
