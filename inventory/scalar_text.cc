#include "inventory/scalar_text.h"

#include <algorithm>
#include <variant>

#include "base/error.h"
#include "base/text.h"
#include "yaml/scalar.h"

namespace muster::inventory {
namespace {

using base::is_digit;
using base::is_letter;

struct Character {
  std::string_view bytes;
  char32_t code = 0;
};

[[noreturn]] void refuse(std::string_view text) {
  std::string shown(text.substr(0, 40));
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char c) { return c < 0x20 || c > 0x7E; }, '?');
  throw base::Error(base::Code::usage,
                    "'" + shown + "' is not UTF-8 and cannot stand in an inventory; write it as UTF-8");
}

// Takes the first character off `rest`, which is not empty.
Character take_character(std::string_view& rest, std::string_view whole) {
  const auto first = static_cast<unsigned char>(rest[0]);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xC2 ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  if (length == 0 || length > rest.size()) refuse(whole);
  char32_t code = length == 1 ? first : first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(rest[i]);
    if ((next & 0xC0U) != 0x80U) refuse(whole);
    code = (code << 6U) | (next & 0x3FU);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  if (overlong || (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF) refuse(whole);
  const Character character{.bytes = rest.substr(0, length), .code = code};
  rest.remove_prefix(length);
  return character;
}

// What YAML's readers take as it is on one line: no control characters, no line breaks of theirs, no byte order mark.
bool is_printable(char32_t code) {
  if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return false;
  return code != 0x2028 && code != 0x2029 && code != 0xFEFF && code != 0xFFFE && code != 0xFFFF;
}

bool all_printable(std::string_view text) {
  bool printable = true;
  for (std::string_view rest = text; !rest.empty();) printable &= is_printable(take_character(rest, text).code);
  return printable;
}

// `2026-01-31`: a date to YAML 1.1, which resolve() has no type for.
bool looks_like_date(std::string_view text) {
  return text.size() > 4 && std::all_of(text.begin(), text.begin() + 4, is_digit) && text[4] == '-';
}

bool reads_as_text(std::string_view text) {
  yaml::Node node;
  node.text = text;
  const auto is_text = [&](yaml::Schema schema) {
    return std::holds_alternative<std::string>(yaml::resolve(node, schema));
  };
  return is_text(yaml::Schema::core_1_2) && is_text(yaml::Schema::yaml_1_1) && !looks_like_date(text);
}

// Stricter than YAML's grammar: where its readers have disagreed, quotes do no harm.
bool may_be_plain(std::string_view text, ScalarStyle style) {
  static constexpr std::string_view kFirst = "_/.~+";
  if (style == ScalarStyle::json || text.empty() || text.back() == ' ' || text.back() == ':') return false;
  const char first = text[0];
  const bool may_begin = is_letter(first) || is_digit(first) || static_cast<unsigned char>(first) >= 0x80;
  if ((!may_begin && kFirst.find(first) == std::string_view::npos) || text.starts_with("...")) return false;
  if (text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos) return false;
  if (style == ScalarStyle::flow && text.find_first_of(",[]{}:\"'") != std::string_view::npos) return false;
  return reads_as_text(text);
}

// All of these have four digits at most.
std::string escaped_code(char32_t code) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text = "\\u";
  for (const unsigned shift : {12U, 8U, 4U, 0U}) text += kDigits[(code >> shift) & 0xFU];
  return text;
}

// JSON's escapes, which YAML has too.
std::string escaped(const Character& character) {
  switch (character.code) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return is_printable(character.code) ? std::string(character.bytes) : escaped_code(character.code);
  }
}

std::string in_double_quotes(std::string_view text) {
  std::string quoted = "\"";
  for (std::string_view rest = text; !rest.empty();) quoted += escaped(take_character(rest, text));
  return quoted + "\"";
}

}  // namespace

std::string scalar_text(std::string_view text, ScalarStyle style) {
  if (!all_printable(text) || style == ScalarStyle::json) return in_double_quotes(text);
  return may_be_plain(text, style) ? std::string(text) : yaml::in_single_quotes(text);
}

std::string key_text(std::string_view text, ScalarStyle style) {
  return scalar_text(text, style == ScalarStyle::block ? ScalarStyle::flow : style);
}

}  // namespace muster::inventory
