#include "inventory/host_name.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <arpa/inet.h>

#include "base/text.h"

namespace muster::inventory {
namespace {

using base::is_digit;
using base::is_letter;
bool is_hexadecimal(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }
bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80; }

bool all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

bool is_ipv6(std::string_view text) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, std::string(text.substr(0, text.find('%'))).c_str(), &address) == 1;
}

struct WithPort {
  std::string_view host;
  std::string_view port;
};

// `[anything]:22`
std::optional<WithPort> split_bracketed(std::string_view text) {
  const auto end = text.rfind("]:");
  if (!text.starts_with('[') || end == std::string_view::npos || end < 2) return std::nullopt;
  const std::string_view port = text.substr(end + 2);
  if (!all_digits(port)) return std::nullopt;
  return WithPort{.host = text.substr(1, end - 1), .port = port};
}

// `name:22`, where the only colon outside of brackets is the port's.
std::optional<WithPort> split_plain(std::string_view text) {
  std::optional<std::size_t> colon;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[') {
      i = text.find(']', i);
      if (i == std::string_view::npos) return std::nullopt;
    } else if (text[i] == ']' || (text[i] == ':' && colon)) {
      return std::nullopt;
    } else if (text[i] == ':') {
      colon = i;
    }
  }
  if (!colon || !all_digits(text.substr(*colon + 1))) return std::nullopt;
  return WithPort{.host = text.substr(0, *colon), .port = text.substr(*colon + 1)};
}

std::optional<std::uint32_t> port_number(std::string_view digits) {
  std::uint32_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return UINT32_MAX;
  return port;
}

// The length of `[1:3]`, `[a:f]` or either with a step, at the front of `text`; 0 if there is none.
std::size_t range_length(std::string_view text) {
  const auto end = text.find(']');
  if (!text.starts_with('[') || end == std::string_view::npos) return 0;
  std::string_view bounds = text.substr(1, end - 1);
  const auto colon = bounds.find(':');
  if (colon == std::string_view::npos) return 0;
  const std::string_view first = bounds.substr(0, colon);
  bounds.remove_prefix(colon + 1);
  const auto step = bounds.find(':');
  if (step != std::string_view::npos && !all_digits(bounds.substr(step + 1))) return 0;
  const std::string_view last = bounds.substr(0, step);
  const bool letters = first.size() == 1 && last.size() == 1 && is_letter(first[0]) && is_letter(last[0]);
  return letters || (all_digits(first) && all_digits(last)) ? end + 1 : 0;
}

// Labels of word characters, dashes and ranges between dots; none begins or ends with a dash or ends with `_`.
bool is_host_name(std::string_view text) {
  bool begins_label = true;
  bool may_end = false;
  while (!text.empty()) {
    const std::size_t range = range_length(text);
    const char c = text[0];
    if (range != 0 || is_word(c)) {
      begins_label = false;
      may_end = c != '_';
    } else if (c == '-' && !begins_label) {
      may_end = false;
    } else if (c == '.' && may_end) {
      begins_label = true;
      may_end = false;
    } else {
      return false;
    }
    text.remove_prefix(range == 0 ? 1 : range);
  }
  return may_end;
}

// Ansible takes for an IPv6 address what begins as one; the end is not looked at.
bool begins_as_ipv6(std::string_view text) {
  if (text.starts_with("::")) return true;
  std::size_t parts = 0;
  for (;;) {
    const auto digits =
        static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_hexadecimal) - text.begin());
    if (parts == 7 && digits > 0) return true;
    if (digits == 0 || digits > 4 || digits == text.size() || text[digits] != ':') return false;
    ++parts;
    text.remove_prefix(digits + 1);
    if (text.starts_with(':') && parts <= 6) return true;
  }
}

std::string shown(char c) {
  if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return "a control character";
  return c == ' ' ? "a blank" : std::string("'") + c + "'";
}

}  // namespace

std::optional<std::string> name_problem(std::string_view name) {
  static constexpr std::string_view kBarred = "|&;<>()$`\\\"'*?[]{}!#~^,/@";
  if (name.empty()) return "a name cannot be empty; write one";
  if (name.size() > kMaxNameBytes) return "a name cannot have more than 255 bytes; write a shorter one";
  if (name.front() == '-') return "a name cannot begin with '-', which reads as an option; write another";
  if (name == "." || name == "..") return "'" + std::string(name) + "' names a directory; write another name";
  for (const char c : name) {
    const bool control = static_cast<unsigned char>(c) <= 0x20 || c == 0x7F;
    if (control || kBarred.find(c) != std::string_view::npos)
      return "a name cannot contain " + shown(c) + "; use letters, digits, '.', '-' and '_'";
  }
  if (name.find(':') != std::string_view::npos && !is_ipv6(name))
    return "a name with ':' is neither an IPv6 address nor NAME:PORT; use letters, digits, '.', '-' and '_'";
  return std::nullopt;
}

bool names_localhost(std::string_view name) { return name == "localhost" || name == "127.0.0.1" || name == "::1"; }

bool is_address(std::string_view text) {
  if (const auto split = split_bracketed(text)) text = split->host;
  if (const auto split = split_plain(text)) text = split->host;
  return is_host_name(text) || begins_as_ipv6(text);
}

HostKey split_host_key(std::string_view key, Dialect dialect) {
  const auto take = [&](const std::optional<WithPort>& split) -> std::optional<HostKey> {
    if (!split || (dialect == Dialect::ansible_strict && !is_address(split->host))) return std::nullopt;
    return HostKey{.names = split->host, .port = port_number(split->port)};
  };
  if (const auto found = take(split_bracketed(key))) return *found;
  if (const auto found = take(split_plain(key))) return *found;
  return {.names = key, .port = std::nullopt};
}

}  // namespace muster::inventory
