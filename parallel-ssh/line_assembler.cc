#include "parallel-ssh/line_assembler.h"

namespace muster::ssh {

void LineAssembler::append(std::string_view bytes, const Line& line) {
  for (std::size_t end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
    line(head_, bytes.substr(0, end));
    if (!head_.empty()) head_.clear();
    bytes.remove_prefix(end + 1);
  }
  if (!bytes.empty()) head_.append(bytes);
}

void LineAssembler::finish(const Line& line) {
  if (head_.empty()) return;
  line(head_, {});
  head_.clear();
}

}  // namespace muster::ssh
