// Makes bytes from remote hosts safe to show on a terminal: control characters, C1 controls, bidirectional overrides
// and bytes that are no UTF-8 become visible; tabs and newlines stay. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace muster::cli {

// ESC becomes `^[`, DEL `^?`, U+202E `<U+202E>`, a stray byte `<9B>`. A sequence cut in two by pieces would come out as
// stray bytes: give whole lines, or what a CodePointStream gives.
std::string visible(std::string_view text);

// Beyond ASCII: C1 controls, and characters that reorder or hide what follows.
bool acts_on_terminal(char32_t c);

// The largest length up to which `text` does not end inside a UTF-8 sequence.
std::size_t utf8_boundary(std::string_view text);

// Cuts a stream that comes in pieces between code points.
class CodePointStream {
 public:
  // What is whole by now, of what was held back before and of `piece`.
  std::string add(std::string_view piece);
  // What was held back and never became whole.
  std::string finish();
  bool empty() const { return held_.empty(); }

 private:
  std::string held_;
};

// Decodes the sequence at the front. length 0: not UTF-8 (overlong and surrogate forms included).
struct CodePoint {
  char32_t value = 0;
  std::size_t length = 0;
};
CodePoint decode_utf8(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace muster::cli
