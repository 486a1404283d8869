// Standard output and standard error, shared by all threads of a command: whole lines never mix, a progress line at the
// bottom of the terminal gets out of the way, a reader that has gone away ends the command, and one that does not read
// cannot keep it from ending. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/error.h"
#include "parallel-ssh/cancel.h"

namespace muster::cli {

class Console {
 public:
  // Called once when standard output cannot be written any more (a closed pipe, a full disk).
  using OnBroken = std::function<void(const std::string& reason)>;

  // Writing waits for its readers as long as `stop` was not requested.
  explicit Console(const std::stop_token& stop = {});

  void on_broken(OnBroken callback) { on_broken_ = std::move(callback); }
  bool error_is_terminal() const { return error_is_terminal_; }
  // Whether what hosts print is shown with its control characters made visible there: on terminals, unless --raw.
  bool escapes_output() const { return output_is_terminal_ && !raw_; }
  bool escapes_error() const { return error_is_terminal_ && !raw_; }
  // Before any other thread writes.
  void show_raw() { raw_ = true; }
  bool broken() const;
  // Nobody reads standard output any more, on purpose: `| head`.
  bool reader_gone() const { return reader_gone_; }
  // What else went wrong with standard output.
  std::optional<base::Error> output_error() const;

  void out(std::string_view text);
  void err(std::string_view text);

  // As err, for a thread that must not be held up: says nothing if that cannot be done at once.
  void announce(std::string_view text);

  // Several pieces that belong together, however large.
  using Pieces = std::function<void(const std::function<void(std::string_view)>& write)>;
  void out_in_pieces(const Pieces& pieces);
  void err_in_pieces(const Pieces& pieces);

  // Shows `text` as the last line of the terminal until the next call; empty takes it away. Nothing without a terminal.
  void progress(const std::string& text);

 private:
  // One of the two streams.
  struct Stream {
    int fd;
    bool is_file;
    bool broken = false;
  };
  void write_locked(Stream& stream, std::string_view text);
  int write_waiting(const Stream& stream, std::string_view text) const;
  void output_failed(int error);
  void hide_progress();
  void show_progress();

  mutable std::timed_mutex mutex_;
  ssh::CancelSignal stop_;
  Stream out_, err_;
  bool output_is_terminal_, error_is_terminal_;
  bool raw_ = false;
  std::atomic<bool> reader_gone_ = false;
  std::optional<base::Error> output_error_;
  OnBroken on_broken_;
  std::string progress_;
  bool progress_shown_ = false;
  bool at_line_start_ = true;  // the terminal's cursor, as far as we moved it
};

}  // namespace muster::cli
