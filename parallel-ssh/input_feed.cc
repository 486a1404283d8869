#include "parallel-ssh/input_feed.h"

namespace muster::ssh {

InputFeed::InputFeed(const CommandRequest& request) : input_(request.input) {
  if (request.sudo) dialog_.emplace(*request.sudo);
}

std::string InputFeed::next(std::size_t room) {
  if (dialog_) answer_ += dialog_->take_answer();
  if (!answer_.empty()) {
    std::string piece = answer_.substr(0, room);
    answer_.erase(0, piece.size());
    return piece;
  }
  if (room == 0 || !input_may_flow() || input_ == nullptr) return {};
  std::string piece = input_->read(offset_, room);
  offset_ += piece.size();
  return piece;
}

bool InputFeed::at_end() const {
  return answer_.empty() && input_may_flow() && (input_ == nullptr || input_->ends_at(offset_));
}

std::string InputFeed::filter_error(std::string_view bytes) {
  return dialog_ ? dialog_->filter(bytes) : std::string(bytes);
}

std::string InputFeed::finish_error() { return dialog_ ? dialog_->finish() : std::string(); }

}  // namespace muster::ssh
