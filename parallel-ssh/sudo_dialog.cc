#include "parallel-ssh/sudo_dialog.h"

#include <algorithm>
#include <utility>

namespace muster::ssh {
namespace {

// How many bytes at the end of `text` could be the beginning of `marker`.
std::size_t partial_match(std::string_view text, std::string_view marker) {
  for (std::size_t length = std::min(text.size(), marker.size() - 1); length > 0; --length)
    if (text.ends_with(marker.substr(0, length))) return length;
  return 0;
}

}  // namespace

std::string SudoDialog::filter(std::string_view bytes) {
  if (state_ == State::ready) return std::string(bytes);
  held_ += bytes;
  std::string own;
  for (;;) {
    const std::size_t prompt = held_.find(secret_.prompt_marker);
    const std::size_t ready = held_.find(secret_.ready_marker);
    const std::size_t at = std::min(prompt, ready);
    if (at == std::string::npos) break;
    own += held_.substr(0, at);
    if (at == ready) {
      state_ = State::ready;
      own += held_.substr(at + secret_.ready_marker.size());
      held_.clear();
      return own;
    }
    held_.erase(0, at + secret_.prompt_marker.size());
    // sudo asks again when the password was wrong; the same one again would only lock the account.
    state_ = state_ == State::waiting ? State::answered : State::refused;
    answer_due_ = state_ == State::answered;
  }
  const std::size_t keep =
      std::max(partial_match(held_, secret_.prompt_marker), partial_match(held_, secret_.ready_marker));
  own += held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return own;
}

std::string SudoDialog::finish() { return std::exchange(held_, {}); }

std::string SudoDialog::take_answer() {
  return std::exchange(answer_due_, false) ? secret_.password + "\n" : std::string();
}

}  // namespace muster::ssh
