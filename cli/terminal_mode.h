// The terminal of standard input in another mode, and back as it was when the object goes: also after Ctrl-C and
// SIGTERM, which end commands by their own ways (interrupts.h). One at a time, in main's thread.
#pragma once

#include <termios.h>

namespace muster::cli {

class TerminalMode {
 public:
  enum class Kind {
    keys,  // each key at once and unseen; Ctrl-C still interrupts
    raw,   // every byte as it was typed, Ctrl-C too
  };

  // Does nothing where standard input is no terminal. Throws base::Error{io}.
  explicit TerminalMode(Kind kind);
  TerminalMode(const TerminalMode&) = delete;
  TerminalMode& operator=(const TerminalMode&) = delete;
  ~TerminalMode();

 private:
  bool changed_ = false;
  termios before_{};
};

struct TerminalSize {
  int rows = 24, columns = 80;
};
// Of standard output, as it is now.
TerminalSize terminal_size();

}  // namespace muster::cli
