#include "inventory/glob.h"

#include "base/text.h"

namespace muster::inventory {
namespace {

constexpr auto kNone = std::string_view::npos;

// Bytes of the UTF-8 character at the front; `?` stands for a character, not for a byte.
std::size_t character_length(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && base::continues_character(text[length])) ++length;
  return length;
}

// Position of the `]` that closes the class at the front of `pattern`, or kNone: the bracket stands for itself then.
std::size_t class_end(std::string_view pattern) {
  std::size_t at = 1;
  if (at < pattern.size() && pattern[at] == '!') ++at;
  if (at < pattern.size() && pattern[at] == ']') ++at;
  return pattern.find(']', at);
}

bool in_class(std::string_view members, char c) {
  const auto byte = static_cast<unsigned char>(c);
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i + 2 < members.size() && members[i + 1] == '-') {
      if (static_cast<unsigned char>(members[i]) <= byte && byte <= static_cast<unsigned char>(members[i + 2]))
        return true;
      i += 2;
    } else if (members[i] == c) {
      return true;
    }
  }
  return false;
}

struct Step {
  std::size_t pattern = 0;  // consumed of each; `text` 0 means: no match
  std::size_t text = 0;
};

// Matches one element of the pattern that is no star.
Step match_one(std::string_view pattern, std::string_view text) {
  if (text.empty()) return {};
  if (pattern[0] == '?') return {.pattern = 1, .text = character_length(text)};
  const auto end = pattern[0] == '[' ? class_end(pattern) : kNone;
  if (end == kNone) return {.pattern = 1, .text = pattern[0] == text[0] ? 1U : 0U};
  const bool negated = pattern[1] == '!';
  const std::size_t begin = negated ? 2 : 1;
  const bool matches = in_class(pattern.substr(begin, end - begin), text[0]) != negated;
  return {.pattern = end + 1, .text = matches ? character_length(text) : 0};
}

}  // namespace

// Only the last star needs another try: an earlier one could not do better.
bool glob_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = kNone, retry = 0;
  while (t < text.size() || p < pattern.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      retry = t;
      continue;
    }
    const Step step = p < pattern.size() ? match_one(pattern.substr(p), text.substr(t)) : Step{};
    if (step.text != 0) {
      p += step.pattern;
      t += step.text;
      continue;
    }
    if (star == kNone || retry >= text.size()) return false;
    p = star;
    t = ++retry;
  }
  return true;
}

}  // namespace muster::inventory
