#include "parallel-ssh/ssh_config_lexer.h"

#include <algorithm>

#include "base/error.h"

namespace muster::ssh {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

void skip_blanks(std::string_view& rest) { rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size())); }

[[noreturn]] void reject_quotes() {
  throw base::Error(base::Code::usage, "a quote is not closed; write a second one, or a backslash before it");
}

// One word of a value, from where it begins.
std::string take_value(std::string_view& rest) {
  std::string word;
  char quote = 0;
  std::size_t i = 0;
  for (; i < rest.size(); ++i) {
    const char c = rest[i];
    const char next = i + 1 < rest.size() ? rest[i + 1] : '\0';
    if (c == '\\' && (next == '"' || next == '\'' || next == '\\' || (quote == 0 && next == ' '))) {
      word += next;
      ++i;
    } else if (quote == 0 && (c == ' ' || c == '\t')) {
      break;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else {
      word += c;
    }
  }
  if (quote != 0) reject_quotes();
  rest.remove_prefix(i);
  return word;
}

}  // namespace

std::optional<std::string> take_word(std::string_view& rest) {
  skip_blanks(rest);
  if (rest.empty()) return std::nullopt;
  std::string word;
  if (rest.front() == '"') {
    const auto close = rest.find('"', 1);
    if (close == std::string_view::npos) reject_quotes();
    word = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
  } else {
    const auto end = std::min(rest.find_first_of(" \t\r\n\"="), rest.size());
    word = rest.substr(0, end);
    rest.remove_prefix(end);
  }
  skip_blanks(rest);
  if (rest.starts_with('=')) rest.remove_prefix(1);
  skip_blanks(rest);
  return word;
}

std::vector<std::string> split_values(std::string_view rest) {
  std::vector<std::string> words;
  for (;;) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (rest.empty() || rest.front() == '#') return words;
    words.push_back(take_value(rest));
  }
}

std::string_view trim_line(std::string_view line) {
  const auto begin = line.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  const auto end = line.find_last_not_of(" \t\r\n\f");
  return end == std::string_view::npos || end < begin ? std::string_view{} : line.substr(begin, end - begin + 1);
}

}  // namespace muster::ssh
