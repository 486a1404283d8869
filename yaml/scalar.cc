#include "yaml/scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

#include "base/text.h"

namespace muster::yaml {
namespace {

using base::is_digit;
using Words = std::initializer_list<std::string_view>;

bool any_of(std::string_view text, Words words) { return std::find(words.begin(), words.end(), text) != words.end(); }

bool all_of(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

constexpr std::string_view kDecimal = "0123456789";
constexpr std::string_view kHexadecimal = "0123456789abcdefABCDEF";
constexpr std::string_view kOctal = "01234567";

std::string without_underscores(std::string_view text) {
  std::string kept(text);
  std::erase(kept, '_');
  return kept;
}

struct Signed {
  bool negative = false;
  std::string_view magnitude;
};

Signed split_sign(std::string_view text) {
  if (text.starts_with('-')) return {.negative = true, .magnitude = text.substr(1)};
  if (text.starts_with('+')) return {.negative = false, .magnitude = text.substr(1)};
  return {.negative = false, .magnitude = text};
}

std::optional<Scalar> integer(bool negative, std::string_view digits, int radix) {
  std::uint64_t magnitude = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, radix);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (magnitude > kMax + (negative ? 1U : 0U)) return std::nullopt;
  return static_cast<std::int64_t>(negative ? ~magnitude + 1 : magnitude);
}

std::optional<Scalar> floating(bool negative, std::string_view digits) {
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return negative ? -value : value;
}

std::optional<Scalar> special_float(const Signed& number, std::string_view whole) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (any_of(number.magnitude, {".inf", ".Inf", ".INF"})) return number.negative ? -kInfinity : kInfinity;
  if (any_of(whole, {".nan", ".NaN", ".NAN"})) return std::numeric_limits<double>::quiet_NaN();
  return std::nullopt;
}

enum class ExponentSign { optional, required };

// `12`, `1.5`, `.5`, each with an exponent; where `point` is required `12e3` is none.
bool looks_floating(std::string_view text, ExponentSign sign, bool needs_point) {
  std::size_t at = 0;
  const auto skip_digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - begin;
  };
  std::size_t digits = skip_digits();
  const bool point = at < text.size() && text[at] == '.';
  if (point) {
    ++at;
    digits += skip_digits();
  }
  if (digits == 0 || (needs_point && !point)) return false;
  if (at == text.size()) return true;
  if (text[at] != 'e' && text[at] != 'E') return false;
  ++at;
  const bool has_sign = at < text.size() && (text[at] == '-' || text[at] == '+');
  if (has_sign) ++at;
  if (!has_sign && sign == ExponentSign::required) return false;
  return skip_digits() > 0 && at == text.size();
}

std::optional<Scalar> core_number(std::string_view text) {
  const Signed number = split_sign(text);
  if (all_of(number.magnitude, kDecimal)) return integer(number.negative, number.magnitude, 10);
  if (text.starts_with("0o") && all_of(text.substr(2), kOctal)) return integer(false, text.substr(2), 8);
  if (text.starts_with("0x") && all_of(text.substr(2), kHexadecimal)) return integer(false, text.substr(2), 16);
  if (auto special = special_float(number, text)) return special;
  if (!looks_floating(number.magnitude, ExponentSign::optional, false)) return std::nullopt;
  return floating(number.negative, number.magnitude);
}

// `1:30:00`, base 60. The last part alone may have a fraction. nullopt if a part is no number below 60.
std::optional<double> sexagesimal(std::string_view text) {
  double value = 0;
  for (bool first = true;; first = false) {
    const auto colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    const std::string_view whole = part.substr(0, part.find('.'));
    const bool fraction_early = colon != std::string_view::npos && whole.size() != part.size();
    if (!all_of(whole, kDecimal) || fraction_early) return std::nullopt;
    if (!first && (whole.size() > 2 || (whole.size() == 2 && whole[0] > '5'))) return std::nullopt;
    const auto number = floating(false, part);
    if (!number) return std::nullopt;
    value = value * 60 + std::get<double>(*number);
    if (colon == std::string_view::npos) return value;
    text.remove_prefix(colon + 1);
  }
}

std::optional<Scalar> sexagesimal_number(const Signed& number) {
  const std::string digits = without_underscores(number.magnitude);
  const auto value = sexagesimal(digits);
  if (!value) return std::nullopt;
  const double with_sign = number.negative ? -*value : *value;
  if (digits.find('.') != std::string::npos) return with_sign;
  if (number.magnitude[0] == '0' || *value > 9e15) return std::nullopt;
  return static_cast<std::int64_t>(with_sign);
}

std::optional<Scalar> old_integer(const Signed& number) {
  const std::string_view text = number.magnitude;
  const std::string digits = without_underscores(text);
  if (text.starts_with("0b") && all_of(text.substr(2), "01_")) return integer(number.negative, digits.substr(2), 2);
  if (text.starts_with("0x") && all_of(text.substr(2), "0123456789abcdefABCDEF_"))
    return integer(number.negative, digits.substr(2), 16);
  if (text == "0") return std::int64_t{0};
  if (text.starts_with('0') && all_of(text.substr(1), "01234567_")) return integer(number.negative, digits, 8);
  if (!text.starts_with('0') && is_digit(text[0]) && all_of(text, "0123456789_"))
    return integer(number.negative, digits, 10);
  return std::nullopt;
}

std::optional<Scalar> old_number(std::string_view text) {
  const Signed number = split_sign(text);
  if (number.magnitude.empty()) return std::nullopt;
  if (auto special = special_float(number, text)) return special;
  if (auto value = old_integer(number)) return value;
  const bool digit_first = is_digit(number.magnitude[0]);
  if (digit_first && number.magnitude.find(':') != std::string_view::npos) return sexagesimal_number(number);
  // `.5` with a sign, and digits that begin with an underscore, are no numbers to YAML 1.1 as PyYAML reads it.
  const bool bare_point = text.size() > 1 && text[0] == '.' && is_digit(text[1]);
  if (!digit_first && !bare_point) return std::nullopt;
  const std::string digits = without_underscores(number.magnitude);
  if (!looks_floating(digits, ExponentSign::required, true)) return std::nullopt;
  return floating(number.negative, digits);
}

bool is_true(std::string_view text, Schema schema) {
  if (any_of(text, {"true", "True", "TRUE"})) return true;
  return schema == Schema::yaml_1_1 && any_of(text, {"yes", "Yes", "YES", "on", "On", "ON"});
}

bool is_false(std::string_view text, Schema schema) {
  if (any_of(text, {"false", "False", "FALSE"})) return true;
  return schema == Schema::yaml_1_1 && any_of(text, {"no", "No", "NO", "off", "Off", "OFF"});
}

Scalar resolve_plain(const std::string& text, Schema schema) {
  if (any_of(text, {"", "~", "null", "Null", "NULL"})) return std::monostate{};
  if (is_true(text, schema)) return true;
  if (is_false(text, schema)) return false;
  const bool number_like = is_digit(text[0]) || text[0] == '-' || text[0] == '+' || text[0] == '.';
  if (!number_like) return text;
  const auto number = schema == Schema::core_1_2 ? core_number(text) : old_number(text);
  return number ? *number : Scalar(text);
}

}  // namespace

Scalar resolve(const Node& node, Schema schema) {
  if (node.tag.empty()) return node.plain ? resolve_plain(node.text, schema) : Scalar(node.text);
  if (!std::string_view(node.tag).starts_with("tag:yaml.org,2002:") || node.tag.ends_with(":str")) return node.text;
  Scalar value = resolve_plain(node.text, schema);
  if (node.tag.ends_with(":float") && std::holds_alternative<std::int64_t>(value))
    return static_cast<double>(std::get<std::int64_t>(value));
  return value;
}

std::string in_single_quotes(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace muster::yaml
