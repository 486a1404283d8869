// `%h`, `~` and `${NAME}` in the values of ssh_config(5). Internal to the ssh_config reader. Pure functions over what
// the caller passes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "parallel-ssh/ssh_config.h"

namespace muster::ssh {

// What a lookup was asked for.
struct ConnectionNames {
  std::string original_host;
  std::optional<std::string> given_user;
  std::string alias;  // lower case; empty: none
};

// What the tokens stand for, for one host. Keeps references: it lives no longer than its arguments.
class TokenValues {
 public:
  TokenValues(const LocalFacts& facts, const std::string& original_host, const HostConfig& config);

  const LocalFacts& facts() const { return facts_; }
  // nullopt for a letter that is no token, or one that only a running connection knows.
  std::optional<std::string> value(char token) const;

 private:
  const LocalFacts& facts_;
  const std::string& original_host_;
  std::string hostname_;
  std::string port_;
  std::string remote_user_;
  std::string key_alias_;
};

// All throw base::Error{usage} for a token that is not known there, or a variable that is not set.
std::string expand_hostname(std::string_view text, const std::string& original_host);  // %% %h
std::string expand_proxy(std::string_view text, const TokenValues& values);            // %% %h %n %p %r
std::string expand_path(std::string_view text, const TokenValues& values);             // `~`, all tokens, ${NAME}

}  // namespace muster::ssh
