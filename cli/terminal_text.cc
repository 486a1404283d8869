#include "cli/terminal_text.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace muster::cli {
namespace {

std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// Characters that reorder or hide what follows (Unicode's Bidi_Control, line and paragraph separators, the byte order
// mark).
bool misleads(char32_t c) {
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) ||
         c == 0x2028 || c == 0x2029 || c == 0xFEFF;
}

bool harmless_ascii(char c) { return (c >= 0x20 && c < 0x7F) || c == '\t' || c == '\n'; }

void append_visible(std::string& out, const CodePoint& point, std::string_view bytes) {
  const char32_t c = point.value;
  if (c < 0x20)
    out += {'^', static_cast<char>('@' + c)};
  else if (c == 0x7F)
    out += "^?";
  else if (acts_on_terminal(c))
    fmt::format_to(std::back_inserter(out), "<U+{:04X}>", static_cast<unsigned>(c));
  else
    out += bytes;
}

}  // namespace

bool acts_on_terminal(char32_t c) { return (c >= 0x80 && c < 0xA0) || misleads(c); }

CodePoint decode_utf8(std::string_view text) {
  if (text.empty()) return {};
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = sequence_length(lead);
  if (length == 0 || length > text.size()) return {};
  if (length == 1) return {lead, 1};
  char32_t value = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0) != 0x80) return {};
    value = value << 6 | (byte & 0x3FU);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  if (overlong || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, length};
}

std::string visible(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto plain = std::find_if_not(text.begin(), text.end(), harmless_ascii);
    out.append(text.begin(), plain);
    text.remove_prefix(static_cast<std::size_t>(plain - text.begin()));
    if (text.empty()) break;
    const CodePoint point = decode_utf8(text);
    if (point.length == 0) {
      fmt::format_to(std::back_inserter(out), "<{:02X}>", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
    } else {
      append_visible(out, point, text.substr(0, point.length));
      text.remove_prefix(point.length);
    }
  }
  return out;
}

std::size_t utf8_boundary(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    return sequence_length(byte) > back ? text.size() - back : text.size();
  }
  return text.size();
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    if (point.length == 0) return false;
    text.remove_prefix(point.length);
  }
  return true;
}

std::string CodePointStream::add(std::string_view piece) {
  held_ += piece;
  std::string rest = held_.substr(utf8_boundary(held_));
  held_.resize(held_.size() - rest.size());
  return std::exchange(held_, std::move(rest));
}

std::string CodePointStream::finish() { return std::exchange(held_, {}); }

}  // namespace muster::cli
