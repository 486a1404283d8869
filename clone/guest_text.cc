#include "clone/guest_text.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "base/text.h"

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

std::string label_of(const std::string& name) { return name.substr(0, name.find('.')); }

// The short name by the short one; one with a domain by the new one's own, or else by that in the old one's.
std::string renamed(std::string_view word, const std::string& former, const std::string& name) {
  const std::string before = label_of(former), after = label_of(name);
  if (word == before) return after;
  if (!word.starts_with(before) || word[before.size()] != '.') return std::string(word);
  return after == name ? after + std::string(word.substr(before.size())) : name;
}

// Of a line of hosts(5): blanks and words in turn, as they stand there.
std::vector<std::string_view> pieces_of(std::string_view line) {
  std::vector<std::string_view> pieces;
  while (!line.empty()) {
    const bool space = kSpace.find(line.front()) != std::string_view::npos;
    const std::size_t end = std::min(space ? line.find_first_not_of(kSpace) : line.find_first_of(kSpace), line.size());
    pieces.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return pieces;
}

// Of passwd(5).
std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    const std::size_t end = line.find(':');
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

}  // namespace

std::string first_line(std::string_view text) {
  const std::size_t from = text.find_first_not_of(kSpace);
  if (from == std::string_view::npos) return {};
  text.remove_prefix(from);
  text = text.substr(0, text.find('\n'));
  return std::string(text.substr(0, text.find_last_not_of(kSpace) + 1));
}

std::string hosts_renamed(std::string_view text, const std::string& former, const std::string& name,
                          const std::string& address) {
  if (former.empty() || label_of(former) == "localhost") return std::string(text);
  return by_lines(text, [&](std::string_view line) {
    auto pieces = pieces_of(line);
    if (pieces.empty() || line.starts_with('#')) return std::string(line);
    const bool itself = line.starts_with("127.") || line.starts_with("::1");
    const bool same_kind =
        (pieces.front().find(':') == std::string_view::npos) == (address.find(':') == std::string::npos);
    const bool named = std::any_of(pieces.begin() + 1, pieces.end(),
                                   [&](std::string_view word) { return renamed(word, former, name) != word; });
    if (!named || (!itself && (address.empty() || !same_kind))) return std::string(line);
    std::string all(itself ? pieces.front() : std::string_view(address));
    for (std::size_t i = 1; i < pieces.size(); ++i) all += renamed(pieces[i], former, name);
    return all;
  });
}

std::string with_host_name(std::string_view text, const std::string& name) {
  return by_lines(text, [&](std::string_view line) {
    return line.starts_with("HOSTNAME=") ? "HOSTNAME=" + name : std::string(line);
  });
}

std::vector<std::string> host_key_settings(std::string_view text) {
  std::vector<std::string> paths;
  for (auto line : base::lines_of(text)) {
    // `Keyword value` as well as `Keyword = "value"`; paths with spaces are nobody's.
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '=' || c == '"'; }, ' ');
    const auto words = base::words_of(line);
    if (words.size() > 1 && base::lower_case(words[0]) == "hostkey" && words[1].starts_with('/'))
      paths.push_back(words[1]);
  }
  return paths;
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
  const auto read = [](std::string_view digits, std::uint32_t& number) {
    return std::from_chars(digits.data(), digits.data() + digits.size(), number).ec == std::errc();
  };
  for (const auto& line : base::lines_of(passwd)) {
    const auto fields = fields_of(line);
    if (fields.size() < 6 || fields[0] != user || !fields[5].starts_with('/')) continue;
    Account account{.home = std::string(fields[5] == "/" ? "" : fields[5])};
    if (read(fields[2], account.uid) && read(fields[3], account.gid)) return account;
  }
  return std::nullopt;
}

}  // namespace muster::clone
