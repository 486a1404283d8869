#include "cli/json_lines.h"

#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "cli/terminal_text.h"

namespace muster::cli {

std::string json_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 16);
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
        else
          out += c;
    }
  }
  return out;
}

std::string Base64Stream::add(std::string_view bytes) {
  held_ += bytes;
  const std::size_t whole = held_.size() / 3 * 3;
  std::string text = base::base64_encode(std::string_view(held_).substr(0, whole));
  held_.erase(0, whole);
  return text;
}

std::string Base64Stream::finish() { return base::base64_encode(std::exchange(held_, {})); }

void Utf8Check::add(std::string_view bytes) {
  if (!valid_) return;
  held_ += bytes;
  const std::size_t whole = utf8_boundary(held_);
  valid_ = is_utf8(std::string_view(held_).substr(0, whole));
  held_.erase(0, whole);
}

}  // namespace muster::cli
