// Standard output and standard error, shared by all threads of a command: whole lines never mix, a progress line at the
// bottom of the terminal gets out of the way, and a reader that has gone away ends the command. Thread-safe.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace muster::cli {

class Console {
 public:
  // Called once when standard output cannot be written any more (a closed pipe, a full disk).
  using OnBroken = std::function<void(const std::string& reason)>;

  Console();

  void on_broken(OnBroken callback) { on_broken_ = std::move(callback); }
  bool error_is_terminal() const { return error_is_terminal_; }
  // Whether what hosts print is shown with its control characters made visible there: on terminals, unless --raw.
  bool escapes_output() const { return output_is_terminal_ && !raw_; }
  bool escapes_error() const { return error_is_terminal_ && !raw_; }
  // Before any other thread writes.
  void show_raw() { raw_ = true; }
  bool broken() const { return broken_; }

  void out(std::string_view text);
  void err(std::string_view text);

  // Several pieces that belong together, however large.
  void out_in_pieces(const std::function<void(const std::function<void(std::string_view)>& write)>& pieces);

  // Shows `text` as the last line of the terminal until the next call; empty takes it away. Nothing without a terminal.
  void progress(const std::string& text);

 private:
  void write_locked(int fd, std::string_view text);
  void hide_progress();
  void show_progress();

  std::mutex mutex_;
  bool output_is_terminal_, error_is_terminal_;
  bool raw_ = false;
  bool broken_ = false;
  OnBroken on_broken_;
  std::string progress_;
  bool progress_shown_ = false;
  bool at_line_start_ = true;  // the terminal's cursor, as far as we moved it
};

}  // namespace muster::cli
