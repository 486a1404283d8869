// What goes into a command's standard input, in order: the answer to sudo when it asks, then the input bytes, then the
// end. Shared by both carriers. Belongs to one command's thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "parallel-ssh/input_source.h"
#include "parallel-ssh/remote_command.h"
#include "parallel-ssh/sudo_dialog.h"

namespace muster::ssh {

class InputFeed {
 public:
  static constexpr std::chrono::milliseconds kAskAgain{50};

  explicit InputFeed(const CommandRequest& request);

  // At most `room` bytes that can be written now. Empty: nothing now, or nothing more (see at_end).
  // What comes later does not wake anybody: while more may follow, ask again every kAskAgain.
  std::string next(std::size_t room);
  // All was handed out: close standard input.
  bool at_end() const;

  // Caught up with an input that still grows.
  bool may_grow() const { return input_ != nullptr && input_may_flow() && !at_end(); }

  // Standard error passes through here; returns what of it is the command's own.
  std::string filter_error(std::string_view bytes);
  std::string finish_error();
  // sudo asked a second time.
  bool refused() const { return dialog_ && dialog_->refused(); }

 private:
  bool input_may_flow() const { return !dialog_ || dialog_->let_through(); }

  const InputSource* input_;
  std::uint64_t offset_ = 0;
  std::optional<SudoDialog> dialog_;
  std::string answer_;
};

}  // namespace muster::ssh
