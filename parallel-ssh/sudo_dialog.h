// Answers sudo's password prompt over a command's streams. sudo is told to print a random marker as its prompt; the
// password is written only after that marker was seen, and the marker is cut out of the output. A second marker,
// printed by the command once sudo let it through, tells when standard input may follow. One dialog belongs to one
// command.
#pragma once

#include <string>
#include <string_view>

namespace muster::ssh {

struct SudoSecret {
  std::string prompt_marker;
  std::string ready_marker;
  std::string password;
};

class SudoDialog {
 public:
  explicit SudoDialog(const SudoSecret& secret) : secret_(secret) {}

  // Takes a piece of the command's standard error; returns what of it is the command's own.
  std::string filter(std::string_view bytes);
  // The rest that was held back because it might have been the beginning of a marker.
  std::string finish();

  // What must be written to standard input now; empty most of the time.
  std::string take_answer();
  bool let_through() const { return state_ == State::ready; }
  bool refused() const { return state_ == State::refused; }

 private:
  enum class State { waiting, answered, refused, ready };
  const SudoSecret& secret_;
  State state_ = State::waiting;
  bool answer_due_ = false;
  std::string held_;
};

}  // namespace muster::ssh
