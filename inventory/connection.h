// What an inventory says about reaching a host: muster's short keys and Ansible's `ansible_*` variables, read into one
// typed value. Nothing here comes from options or ssh_config; parallel-ssh/ puts those together. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inventory/inventory.h"

namespace muster::inventory {

struct Become {
  bool enabled = false;                 // ansible_become
  std::optional<std::string> user;      // ansible_become_user
  std::optional<std::string> password;  // ansible_become_password, ansible_become_pass, ansible_sudo_pass
  std::optional<std::string> method;    // ansible_become_method, where it is not sudo: refused when used
};

struct ConnectionFacts {
  std::string name;                          // inventory name
  std::optional<std::string> address;        // address, ansible_host
  std::optional<std::uint16_t> port;         // port, ansible_port
  std::optional<std::string> user;           // user, ansible_user
  std::optional<std::string> password;       // ansible_password, ansible_ssh_pass
  std::optional<std::string> identity_file;  // identity_file, ansible_ssh_private_key_file
  std::optional<std::string> proxy_jump;     // proxy_jump, or ProxyJump / -J in ansible_ssh_common_args
  std::vector<std::string> host_keys;        // host_key: key lines or SHA256: fingerprints
  std::vector<std::string> ssh_args;      // the rest of ansible_ssh_common_args and _extra_args, split as a shell does
  std::optional<std::string> connection;  // ansible_connection, where it is neither ssh, smart nor paramiko
  std::optional<std::string> hypervisor;  // libvirt URI
  std::optional<std::string> domain;      // domain name there
  Become become;
};

// muster's short key wins over Ansible's in the same host's merged variables.
// Throws base::Error{usage} as `file:line:column: ...` for a value of the wrong type or out of range.
ConnectionFacts connection_facts(const Inventory& inventory, HostIndex host);

// The same by name: of a host that the inventory does not have, the name is all.
ConnectionFacts connection_facts(const Inventory& inventory, const std::string& name);

}  // namespace muster::inventory
