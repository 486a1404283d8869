// Cuts a stream into lines. A line is handed on only when it is whole, however long it is and however it was split into
// packets, so that lines of different hosts never mix. Belongs to one stream of one host.
#pragma once

#include <functional>
#include <string_view>

#include "parallel-ssh/output_spool.h"

namespace muster::ssh {

class LineAssembler {
 public:
  // A line without its newline: what came earlier, then what came last.
  using Line = std::function<void(const OutputSpool& head, std::string_view tail)>;

  explicit LineAssembler(const std::string& spill_directory) : head_(spill_directory) {}

  void append(std::string_view bytes, const Line& line);
  // The last line, where it has no newline.
  void finish(const Line& line);

 private:
  OutputSpool head_;
};

}  // namespace muster::ssh
