#include "parallel-ssh/ssh_config_tokens.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

namespace muster::ssh {
namespace {

constexpr std::size_t kMaxExpandedBytes = 64U << 10;

using base::Code;
using base::Error;

[[noreturn]] void reject_token(std::string_view text, std::size_t at) {
  if (at == text.size()) throw Error(Code::usage, fmt::format("'{}' ends with a single %; write %%", text));
  throw Error(Code::usage, fmt::format("token %{} of '{}' cannot be expanded here", text[at], text));
}

// The variable whose `${` stands at `at`, which then is its `}`.
std::string variable(std::string_view text, std::size_t& at, const LocalFacts& facts) {
  const auto end = text.find('}', at);
  if (end == std::string_view::npos || end == at + 2)
    throw Error(Code::usage, fmt::format("'{}' has no name between ${{ and }}", text));
  const std::string name(text.substr(at + 2, end - at - 2));
  const auto value = facts.environment ? facts.environment(name) : std::nullopt;
  if (!value) throw Error(Code::usage, "environment variable " + name + " is not set");
  at = end;
  return *value;
}

// In one pass, so that nothing that was put in is expanded again. `token`: value of a letter after `%`; `facts`:
// nullptr where variables stay as they are.
template <typename Token>
std::string expand(std::string_view text, const LocalFacts* facts, Token token) {
  std::string expanded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (facts != nullptr && text.substr(i).starts_with("${")) {
      expanded += variable(text, i, *facts);
    } else if (text[i] == '%') {
      if (++i == text.size()) reject_token(text, i);
      const std::optional<std::string> found = text[i] == '%' ? "%" : token(text[i]);
      if (!found) reject_token(text, i);
      expanded += *found;
    } else {
      expanded += text[i];
    }
    if (expanded.size() > kMaxExpandedBytes) throw Error(Code::usage, "a value expands to more than 64 KiB");
  }
  return expanded;
}

}  // namespace

TokenValues::TokenValues(const LocalFacts& facts, const std::string& original_host, const HostConfig& config)
    : facts_(facts),
      original_host_(original_host),
      hostname_(config.hostname.value_or(base::lower_case(original_host))),
      port_(std::to_string(config.port.value_or(22))),
      remote_user_(config.user.value_or(facts.user)),
      key_alias_(config.host_key_alias.value_or(original_host)) {}

std::optional<std::string> TokenValues::value(char token) const {
  switch (token) {
    case 'd':
      return facts_.home;
    case 'h':
      return hostname_;
    case 'i':
      return std::to_string(facts_.uid);
    case 'k':
      return key_alias_;
    case 'L':
      return facts_.host_name.substr(0, facts_.host_name.find('.'));
    case 'l':
      return facts_.host_name;
    case 'n':
      return original_host_;
    case 'p':
      return port_;
    case 'r':
      return remote_user_;
    case 'u':
      return facts_.user;
    default:
      return std::nullopt;
  }
}

std::string expand_hostname(std::string_view text, const std::string& original_host) {
  return expand(text, nullptr, [&](char token) { return token == 'h' ? std::optional(original_host) : std::nullopt; });
}

std::string expand_proxy(std::string_view text, const TokenValues& values) {
  return expand(text, nullptr, [&](char token) {
    return std::string_view("hnpr").find(token) == std::string_view::npos ? std::nullopt : values.value(token);
  });
}

std::string expand_path(std::string_view text, const TokenValues& values) {
  const std::string original(text);
  const bool home = text.starts_with('~');
  if (home) text.remove_prefix(1);
  if (home && !text.empty() && text.front() != '/')
    throw Error(Code::usage, fmt::format("'{}' is in another user's home; write the path in full", original));
  const auto rest = expand(text, &values.facts(), [&](char token) { return values.value(token); });
  return home ? values.facts().home + rest : rest;
}

}  // namespace muster::ssh
