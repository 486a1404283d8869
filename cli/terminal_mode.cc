#include "cli/terminal_mode.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"

namespace muster::cli {

TerminalMode::TerminalMode(Kind kind) {
  if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
  termios mode = before_;
  if (kind == Kind::raw) {
    ::cfmakeraw(&mode);
  } else {
    mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    mode.c_cc[VMIN] = 1;
    mode.c_cc[VTIME] = 0;
    // Nothing that would leave the screen behind as it is.
    mode.c_cc[VSUSP] = mode.c_cc[VQUIT] = _POSIX_VDISABLE;
  }
  if (::tcsetattr(STDIN_FILENO, TCSADRAIN, &mode) != 0) base::throw_errno("change the terminal's mode");
  changed_ = true;
}

TerminalMode::~TerminalMode() {
  if (changed_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
}

TerminalSize terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {};
  return {.rows = size.ws_row, .columns = size.ws_col};
}

}  // namespace muster::cli
