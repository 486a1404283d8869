// The keywords of ssh_config(5) and the form of their values. Internal to the ssh_config reader. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::ssh {

// What the reader acts on. Everything else that OpenSSH knows is `ignored`.
enum class Keyword : std::uint8_t {
  ignored,
  deprecated,
  unsupported,
  host,
  match,
  include,
  ignore_unknown,
  address_family,
  bind_address,
  bind_interface,
  canonicalize_hostname,
  certificate_file,
  ciphers,
  compression,
  connect_timeout,
  connection_attempts,
  forward_agent,
  global_known_hosts_file,
  gssapi_authentication,
  hash_known_hosts,
  host_key_algorithms,
  host_key_alias,
  hostbased_authentication,
  hostname,
  identities_only,
  identity_agent,
  identity_file,
  kex_algorithms,
  known_hosts_command,
  macs,
  password_authentication,
  pkcs11_provider,
  port,
  preferred_authentications,
  proxy_command,
  proxy_jump,
  proxy_use_fdpass,
  pubkey_accepted_algorithms,
  pubkey_authentication,
  revoked_host_keys,
  security_key_provider,
  server_alive_count_max,
  server_alive_interval,
  set_env,
  strict_host_key_checking,
  user,
  user_known_hosts_file,
  verify_host_key_dns,
  count_,
};

inline constexpr std::size_t kKeywordCount = static_cast<std::size_t>(Keyword::count_);

enum class ValueForm : std::uint8_t {
  any,      // not looked at
  word,     // exactly one
  words,    // one or more
  choice,   // one of the row's choices; `true`, `false` and `off` are `yes` and `no`
  port,     // 1 to 65535
  seconds,  // 90, 1m30, 2h; or `none`
  count,    // a number from 0
  command,  // the rest of the line as it stands
  jump,     // hops between commas; or `none`
};

struct KeywordRow {
  std::string_view name;  // lower case
  Keyword keyword;
  ValueForm form;
  std::string_view choices = "yes no";
};

// By lower-case name; nullptr for what OpenSSH does not know either.
const KeywordRow* find_keyword(std::string_view name);

// Brings a value to the form the reader relies on: choices in lower case, durations as seconds. Throws
// base::Error{usage} with what to write instead; the caller adds the place.
std::vector<std::string> check_values(const KeywordRow& row, std::vector<std::string> values);

}  // namespace muster::ssh
