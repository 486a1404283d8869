// What goes into a command's standard input, in order: the answer to sudo when it asks, then the input bytes, then the
// end. Shared by both carriers. Belongs to one command's thread.
#pragma once

#include <optional>
#include <string>

#include "parallel-ssh/remote_command.h"
#include "parallel-ssh/sudo_dialog.h"

namespace muster::ssh {

class InputFeed {
 public:
  explicit InputFeed(const CommandRequest& request);

  // At most `room` bytes that can be written now. Empty: nothing now, or nothing more (see at_end).
  std::string next(std::size_t room);
  // All was handed out: close standard input.
  bool at_end() const;

  // Standard error passes through here; returns what of it is the command's own.
  std::string filter_error(std::string_view bytes);
  std::string finish_error();
  // sudo asked a second time.
  bool refused() const { return dialog_ && dialog_->refused(); }

 private:
  bool input_may_flow() const { return !dialog_ || dialog_->let_through(); }

  InputBytes input_;
  std::uint64_t offset_ = 0;
  std::optional<SudoDialog> dialog_;
  std::string answer_;
};

}  // namespace muster::ssh
