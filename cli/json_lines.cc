#include "cli/json_lines.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "cli/terminal_text.h"

namespace muster::cli {

std::string json_line(std::string_view type, nlohmann::json fields) {
  fields["v"] = 1;
  fields["type"] = type;
  return fields.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

double seconds_of(std::chrono::milliseconds duration) { return static_cast<double>(duration.count()) / 1000; }

std::string json_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 16);
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    const std::string_view bytes = text.substr(0, std::max<std::size_t>(point.length, 1));
    text.remove_prefix(bytes.size());
    if (point.length == 0) {
      out += bytes;  // part of one that was cut
      continue;
    }
    switch (point.value) {
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
        if (point.value < 0x20 || point.value == 0x7F || acts_on_terminal(point.value))
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(point.value));
        else
          out += bytes;
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
  valid_ = is_utf8(code_points_.add(bytes));
}

}  // namespace muster::cli
