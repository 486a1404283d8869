// Puts together how to reach a host: options, then the inventory, then ssh_config, then defaults. Pure but for the
// look-ups it is handed. Thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "inventory/connection.h"
#include "parallel-ssh/ssh_arguments.h"
#include "parallel-ssh/ssh_config.h"
#include "parallel-ssh/target.h"

namespace muster::ssh {

// What the user asked for on this run, and who the user is.
struct ConnectOptions {
  std::optional<std::string> user;
  std::optional<std::uint16_t> port;
  std::vector<std::string> key_files;
  std::vector<std::string> known_hosts_files;
  std::optional<HostKeyMode> host_key_mode;
  std::optional<std::chrono::milliseconds> connect_timeout;
  std::optional<std::string> password;
  Transport transport = Transport::automatic;
  std::string ssh_config_file;
  std::string home;
  std::string local_user;
  std::string agent_socket;  // SSH_AUTH_SOCK
};

// Facts about another inventory host, for a jump host that is one; nullopt if there is none of that name.
using FindHost = std::function<std::optional<inventory::ConnectionFacts>(const std::string& name)>;

class TargetResolution {
 public:
  TargetResolution(ConnectOptions options, const SshConfig& config, FindHost find_host);

  // Throws base::Error{usage} for values that make no sense. What this host cannot do is in Target::refusal.
  Target resolve(const inventory::ConnectionFacts& facts) const;

 private:
  HostConfig look_up(const inventory::ConnectionFacts& facts, const std::optional<std::string>& user,
                     std::optional<std::uint16_t> port) const;
  Target destination(const inventory::ConnectionFacts& facts, const HostConfig& config,
                     const SshArguments& arguments) const;
  std::vector<Target> jumps(const std::string& list, int depth) const;
  Target jump(const std::string& text, int depth, std::vector<Target>& before) const;
  void choose_identities(Target& target, const inventory::ConnectionFacts& facts, const HostConfig& config,
                         const SshArguments& arguments) const;
  void choose_host_keys(Target& target, const inventory::ConnectionFacts& facts, const HostConfig& config,
                        const SshArguments& arguments) const;
  void choose_transport(Target& target, const inventory::ConnectionFacts& facts, const HostConfig& config,
                        const SshArguments& arguments) const;
  std::string expanded(const std::string& path) const;

  ConnectOptions options_;
  const SshConfig& config_;
  FindHost find_host_;
};

// `[user@]host[:port]` or `ssh://[user@]host[:port]`. Throws base::Error{usage}.
struct Destination {
  std::optional<std::string> user;
  std::string host;
  std::optional<std::uint16_t> port;
};
Destination parse_destination(const std::string& text);

}  // namespace muster::ssh
