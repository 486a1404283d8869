// Everything needed to reach one host, after options, inventory, ssh_config and defaults were put together, in this
// order of precedence. A value; see target_resolution.h for how it comes about.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "parallel-ssh/address_family.h"
#include "parallel-ssh/session.h"

namespace muster::ssh {

enum class HostKeyMode { strict, accept_new, none };
enum class Transport { automatic, libssh, openssh };

struct BecomeFacts {
  bool enabled = false;
  std::string user = "root";
  std::optional<std::string> password;
};

struct Target {
  std::string name;     // as in the inventory
  std::string address;  // name or number to connect to
  SessionOptions session;
  AddressFamily family = AddressFamily::any;
  std::string bind_address;
  std::chrono::milliseconds connect_timeout{10'000};

  std::vector<std::string> identity_files;
  bool only_these_identities = false;  // no other keys of the agent
  std::string agent_socket;            // empty: no agent
  std::optional<std::string> password;

  std::string host_key_name;         // what known_hosts knows it by,
  std::uint16_t host_key_port = 22;  // and with which port
  std::vector<std::string> known_hosts_files;
  std::vector<std::string> pinned_host_keys;
  HostKeyMode host_key_mode = HostKeyMode::strict;

  std::vector<Target> jumps;  // in the order they are gone through; these have none of their own

  BecomeFacts become;
  Transport transport = Transport::libssh;  // never automatic
  bool transport_fixed = false;             // the user named it
  std::string transport_reason;             // why OpenSSH's client is needed, by name
  std::vector<std::string>
      openssh_args;             // for that client: the inventory's own, and what ssh_config says of the other name
  std::string ssh_config_file;  // --ssh-config, for that client
  std::string ssh_config_host;  // the name ssh_config knows it by
  std::string refusal;          // not empty: this host cannot be done, and why

  // `jump>address:port`: what admission counts by.
  std::string route() const;
};

}  // namespace muster::ssh
