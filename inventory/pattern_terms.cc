#include "inventory/pattern_terms.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "inventory/host_name.h"

namespace muster::inventory {
namespace {

using base::Code;
using base::Error;
using base::is_digit;

constexpr std::size_t kMaxFileBytes = 16U << 20;
constexpr std::size_t kMaxTermBytes = 1024;

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

void add_trimmed(std::vector<std::string_view>& parts, std::string_view part) {
  if (const auto text = trimmed(part); !text.empty()) parts.push_back(text);
}

std::vector<std::string_view> split_at_commas(std::string_view pattern, Dialect dialect) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  bool in_brackets = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    // A bracket that is never closed hides no comma.
    if (pattern[i] == '[') in_brackets = dialect == Dialect::muster && pattern.find(']', i) != std::string_view::npos;
    if (pattern[i] == ']') in_brackets = false;
    if (pattern[i] != ',' || in_brackets) continue;
    add_trimmed(parts, pattern.substr(begin, i - begin));
    begin = i + 1;
  }
  if (begin == 0) return {};
  add_trimmed(parts, pattern.substr(begin));
  return parts;
}

// Ansible's older separator. White space ends a term here too, and a stray bracket is dropped.
std::vector<std::string_view> split_at_colons(std::string_view pattern) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  const auto end_part = [&](std::size_t end) {
    add_trimmed(parts, pattern.substr(begin, end - begin));
    begin = end + 1;
  };
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const auto close = pattern[i] == '[' ? pattern.find(']', i) : std::string_view::npos;
    if (close != std::string_view::npos)
      i = close;
    else if (is_blank(pattern[i]) || pattern[i] == ':' || pattern[i] == '[' || pattern[i] == ']')
      end_part(i);
  }
  end_part(pattern.size());
  return parts;
}

bool has_comma(std::string_view pattern, Dialect dialect) {
  if (dialect == Dialect::ansible_strict) return pattern.find(',') != std::string_view::npos;
  bool in_brackets = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '[') in_brackets = pattern.find(']', i) != std::string_view::npos;
    if (pattern[i] == ']') in_brackets = false;
    if (pattern[i] == ',' && !in_brackets) return true;
  }
  return false;
}

std::vector<std::string_view> split(std::string_view pattern, Dialect dialect) {
  if (has_comma(pattern, dialect)) return split_at_commas(pattern, dialect);
  if (is_address(pattern)) return {pattern};
  return split_at_colons(pattern);
}

Term term_of(std::string_view text, const std::string& where, Dialect dialect) {
  if (text.size() > kMaxTermBytes)
    throw Error(Code::usage, where + "a term of the pattern has more than 1024 bytes; write several shorter ones");
  Term term{.op = Operator::unite, .text = std::string(text), .where = where};
  if (text.front() == '&') term.op = Operator::intersect;
  if (text.front() == '!') term.op = Operator::exclude;
  if (text.front() == '^' && dialect == Dialect::muster) term.op = Operator::differ;
  if (term.op != Operator::unite) term.text = trimmed(text.substr(1));
  if (term.text.empty())
    throw Error(Code::usage, where + "nothing follows '" + std::string(text.substr(0, 1)) +
                                 "' in the pattern; write a host or group after it, without a blank, and quote the "
                                 "pattern for the shell");
  return term;
}

std::string read_lines(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    throw Error(Code::usage, "@" + path + ": a directory; name a file with one pattern a line");
  try {
    return base::read_file(path, kMaxFileBytes);
  } catch (const Error& error) {
    throw Error(Code::usage, "@" + std::string(error.what()));
  }
}

void add_file(std::vector<Term>& terms, const std::string& path, Dialect dialect) {
  const std::string text = read_lines(path);
  std::string_view rest = text;
  for (std::size_t line = 1; !rest.empty(); ++line) {
    const std::string_view here = trimmed(rest.substr(0, rest.find('\n')));
    rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
    const std::string where = path + ":" + std::to_string(line) + ": ";
    if (here.empty()) continue;
    if (dialect == Dialect::ansible_strict) {
      terms.push_back(term_of(here, where, dialect));
    } else if (here.front() != '#') {
      for (const auto part : split(here, dialect)) terms.push_back(term_of(part, where, dialect));
    }
  }
}

std::optional<std::int64_t> number(std::string_view digits) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<Subscript> parse_subscript(std::string_view inside) {
  const bool negative = inside.starts_with('-');
  if (all_digits(inside.substr(negative ? 1 : 0))) {
    const auto index = number(inside);
    return index ? std::optional(Subscript{.first = *index, .last = {}}) : std::nullopt;
  }
  const auto separator = inside.find_first_of(":-");
  if (separator == std::string_view::npos) return std::nullopt;
  const std::string_view end = inside.substr(separator + 1);
  const auto first = all_digits(inside.substr(0, separator)) ? number(inside.substr(0, separator)) : std::nullopt;
  const auto last = all_digits(end) ? number(end) : std::nullopt;
  if (!first || (!last && !end.empty())) return std::nullopt;
  return Subscript{.first = *first, .last = last, .to_end = !last, .dashed = inside[separator] == '-'};
}

// `1-3`, `1-9/2`: what makes a bracket a range even without a comma.
bool has_dash_between_numbers(std::string_view inside) {
  const auto dash = inside.find('-');
  return dash != std::string_view::npos && all_digits(inside.substr(0, dash)) && dash + 1 < inside.size() &&
         is_digit(inside[dash + 1]);
}

}  // namespace

std::vector<Term> terms_of(std::string_view pattern, Dialect dialect, AtFiles at_files) {
  std::vector<Term> terms;
  for (const auto part : split(trimmed(pattern), dialect)) {
    if (part.front() == '@' && at_files == AtFiles::are_read)
      add_file(terms, std::string(part.substr(1)), dialect);
    else
      terms.push_back(term_of(part, "", dialect));
  }
  return terms;
}

Subscripted split_subscript(std::string_view term) {
  const auto open = term.rfind('[');
  if (term.starts_with('~') || !term.ends_with(']') || open == std::string_view::npos || open == 0) return {term, {}};
  const auto subscript = parse_subscript(term.substr(open + 1, term.size() - open - 2));
  if (!subscript) return {term, {}};
  return {.base = term.substr(0, open), .subscript = subscript};
}

std::optional<std::string_view> range_base(std::string_view term) {
  if (term.starts_with('~')) return std::nullopt;
  const auto first = term.find('[');
  for (auto open = first; open != std::string_view::npos; open = term.find('[', open + 1)) {
    const auto close = term.find(']', open);
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view inside = term.substr(open + 1, close - open - 1);
    if (inside.find(',') != std::string_view::npos || has_dash_between_numbers(inside)) return term.substr(0, first);
  }
  return std::nullopt;
}

}  // namespace muster::inventory
