#include "clone/guest_text.h"

#include <algorithm>
#include <charconv>
#include <functional>

namespace muster::clone {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

// Every line by what `change` makes of it; an end without a newline stays one.
std::string by_lines(std::string_view text, const std::function<std::string(std::string_view)>& change) {
  std::string all;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    all += change(text.substr(0, end));
    if (end == std::string_view::npos) break;
    all += '\n';
    text.remove_prefix(end + 1);
  }
  return all;
}

std::string renamed(std::string_view word, const std::string& former, const std::string& name) {
  if (word == former) return name;
  if (word.starts_with(former) && word[former.size()] == '.') return name + std::string(word.substr(former.size()));
  return std::string(word);
}

}  // namespace

std::string first_line(std::string_view text) {
  const std::size_t from = text.find_first_not_of(kSpace);
  if (from == std::string_view::npos) return {};
  text.remove_prefix(from);
  text = text.substr(0, text.find('\n'));
  return std::string(text.substr(0, text.find_last_not_of(kSpace) + 1));
}

std::string hosts_renamed(std::string_view text, const std::string& former, const std::string& name) {
  if (former.empty() || former == "localhost") return std::string(text);
  return by_lines(text, [&](std::string_view line) {
    if (!line.starts_with("127.") && !line.starts_with("::1")) return std::string(line);
    std::string all;
    while (!line.empty()) {
      const bool space = kSpace.find(line.front()) != std::string_view::npos;
      const std::size_t end =
          std::min(space ? line.find_first_not_of(kSpace) : line.find_first_of(kSpace), line.size());
      all += space ? std::string(line.substr(0, end)) : renamed(line.substr(0, end), former, name);
      line.remove_prefix(end);
    }
    return all;
  });
}

std::string with_host_name(std::string_view text, const std::string& name) {
  return by_lines(text, [&](std::string_view line) {
    return line.starts_with("HOSTNAME=") ? "HOSTNAME=" + name : std::string(line);
  });
}

std::string initiator_renamed(std::string_view text, const std::string& suffix) {
  return by_lines(text, [&](std::string_view line) {
    const std::size_t colon = line.rfind(':');
    if (!line.starts_with("InitiatorName=") || colon == std::string_view::npos) return std::string(line);
    return std::string(line.substr(0, colon + 1)) + suffix;
  });
}

std::string with_lines_added(std::string_view text, const std::vector<std::string>& lines) {
  std::string all(text);
  if (!all.empty() && !all.ends_with('\n')) all += '\n';
  for (const auto& line : lines)
    if (("\n" + all).find("\n" + line + "\n") == std::string::npos) all += line + "\n";
  return all;
}

std::optional<Account> account_of(std::string_view passwd, std::string_view user) {
  std::optional<Account> found;
  by_lines(passwd, [&](std::string_view line) {
    std::vector<std::string_view> fields;
    for (std::string_view left = line; fields.size() < 7;) {
      const std::size_t end = left.find(':');
      fields.push_back(left.substr(0, end));
      if (end == std::string_view::npos) break;
      left.remove_prefix(end + 1);
    }
    if (found || fields.size() < 6 || fields[0] != user || !fields[5].starts_with('/')) return std::string();
    Account account{.home = std::string(fields[5] == "/" ? "" : fields[5])};
    const auto read = [](std::string_view digits, std::uint32_t& number) {
      return std::from_chars(digits.data(), digits.data() + digits.size(), number).ec == std::errc();
    };
    if (read(fields[2], account.uid) && read(fields[3], account.gid)) found = account;
    return std::string();
  });
  return found;
}

}  // namespace muster::clone
