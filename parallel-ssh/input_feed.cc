#include "parallel-ssh/input_feed.h"

#include <algorithm>

#include <unistd.h>

#include "base/error.h"

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
  if (room == 0 || !input_may_flow() || offset_ >= input_.size_bytes) return {};
  std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(room, input_.size_bytes - offset_)), '\0');
  const ssize_t n = ::pread(input_.fd, piece.data(), piece.size(), static_cast<off_t>(offset_));
  if (n <= 0) throw base::Error(base::Code::io, "read the input to send");
  piece.resize(static_cast<std::size_t>(n));
  offset_ += piece.size();
  return piece;
}

bool InputFeed::at_end() const { return answer_.empty() && input_may_flow() && offset_ >= input_.size_bytes; }

std::string InputFeed::filter_error(std::string_view bytes) {
  return dialog_ ? dialog_->filter(bytes) : std::string(bytes);
}

std::string InputFeed::finish_error() { return dialog_ ? dialog_->finish() : std::string(); }

}  // namespace muster::ssh
