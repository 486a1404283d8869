// OpenSSH's client configuration (ssh_config(5)), read by ourselves: libssh's reader ignores HostKeyAlias,
// IdentitiesOnly and more without a word. What only OpenSSH's client can do is told by name, not emulated. Nothing
// here reads the environment or asks who the user is; the caller passes that. Loaded once; lookup() is thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "base/context.h"
#include "parallel-ssh/address_family.h"

namespace muster::ssh {

// What the machine and the user are, for `~` and tokens.
struct LocalFacts {
  std::string home;
  std::string user;
  std::string host_name;  // with its domain, if it has one
  uid_t uid = 0;
  std::function<std::optional<std::string>(const std::string&)> environment;  // none: every variable is unset
};

enum class HostKeyPolicy { ask, yes, accept_new, no };

// What the configuration says about one host; what it does not say is absent. Paths are absolute or relative to the
// working directory, tokens and `~` expanded.
struct HostConfig {
  std::optional<std::string> hostname;  // lower case
  std::optional<std::uint16_t> port;
  std::optional<std::string> user;
  std::optional<std::string> host_key_alias;  // lower case
  std::optional<std::string> proxy_jump;      // never `none`
  std::optional<std::string> proxy_command;   // never `none`
  std::optional<std::string> bind_address;
  AddressFamily address_family = AddressFamily::any;

  std::optional<std::vector<std::string>> identity_files;  // absent: the default ones; empty: `none`
  std::vector<std::string> certificate_files;
  std::optional<std::string> identity_agent;  // a socket's path, or `none`
  std::optional<bool> identities_only;
  std::optional<bool> pubkey_authentication;
  std::optional<bool> password_authentication;
  std::optional<std::string> preferred_authentications;
  std::optional<bool> forward_agent;  // also true where a socket is named

  std::optional<HostKeyPolicy> strict_host_key_checking;
  std::optional<bool> hash_known_hosts;
  std::optional<std::vector<std::string>> user_known_hosts_files;    // empty: `none`
  std::optional<std::vector<std::string>> global_known_hosts_files;  // empty: `none`

  std::optional<std::chrono::seconds> connect_timeout;  // absent also for `none`
  std::optional<std::chrono::seconds> server_alive_interval;
  std::optional<int> server_alive_count_max;
  std::optional<int> connection_attempts;
  std::optional<bool> compression;

  // Algorithm lists as written, with OpenSSH's leading `+`, `-` or `^`.
  std::optional<std::string> kex_algorithms;
  std::optional<std::string> ciphers;
  std::optional<std::string> macs;
  std::optional<std::string> host_key_algorithms;
  std::optional<std::string> pubkey_accepted_algorithms;

  std::vector<std::string> set_env;  // NAME=value

  // Why only OpenSSH's client does as this says: keywords, or `Match exec` and the like. Empty: libssh will do.
  std::vector<std::string> needs_openssh;
};

struct ConfigSource {
  enum class Kind { user, system };  // a user's file must not be writable by others; both have their Include folder
  enum class Presence { required, optional };

  std::string path;
  Kind kind = Kind::user;
  Presence presence = Presence::optional;
};

class SshConfig {
 public:
  // Reads the sources in order, and all they include; the first value of a keyword wins. `ctx` hears of options that
  // OpenSSH no longer has. Throws base::Error{usage} as `file:line: ...` for what OpenSSH refuses, or when everything
  // together is larger than 16 MiB.
  static SshConfig load(const base::Context& ctx, const std::vector<ConfigSource>& sources, LocalFacts facts);
  // The same from a text; `name` stands in messages.
  static SshConfig parse(const base::Context& ctx, std::string_view text, const std::string& name, LocalFacts facts);

  SshConfig(SshConfig&&) noexcept;
  SshConfig& operator=(SshConfig&&) noexcept;
  ~SshConfig();

  // `host` as the user gave it. `user` and `port`, given outside the configuration, win over it and are what `Match
  // user`, %r and %p see. Throws base::Error{usage} for a token or variable that cannot be expanded.
  // `alias` is another name of the same host (the inventory's, where `host` is its address): `Host` lines that name
  // either count, but a HostName only where `host` itself is meant.
  HostConfig lookup(const std::string& host, const std::optional<std::string>& user = std::nullopt,
                    std::optional<std::uint16_t> port = std::nullopt, const std::string& alias = {}) const;

 private:
  struct Content;
  explicit SshConfig(std::unique_ptr<const Content> content);
  std::unique_ptr<const Content> content_;
};

}  // namespace muster::ssh
