#include "parallel-ssh/ssh_pattern.h"

namespace muster::ssh {

bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, resume = 0;  // the last star, and where its text would end next
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

ListMatch match_list(std::string_view patterns, std::string_view text) {
  ListMatch result = ListMatch::none;
  for (;;) {
    const auto end = patterns.find(',');
    std::string_view item = patterns.substr(0, end);
    const bool negated = item.starts_with('!');
    if (negated) item.remove_prefix(1);
    if (!item.empty() && matches_pattern(item, text)) {
      if (negated) return ListMatch::excluded;
      result = ListMatch::included;
    }
    if (end == std::string_view::npos) return result;
    patterns.remove_prefix(end + 1);
  }
}

}  // namespace muster::ssh
