// What a guest must not have in common with the others of its master, and how it is told: user-data and network
// configuration for its cloud-init. Pure functions.
// https://cloudinit.readthedocs.io/en/latest/reference/modules.html,
// https://cloudinit.readthedocs.io/en/latest/reference/network-config-format-v2.html.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "parallel-ssh/host_key_pair.h"

namespace muster::clone {

// For machine-id(5): 32 hexadecimal digits made of the machine's UUID, so that what it has to be is known.
std::string machine_id_of(const std::string& uuid);

struct StaticAddress {
  std::string address;  // with its prefix length: `192.0.2.11/24`, `2001:db8::11/64`
  std::string gateway;  // empty: none
  std::vector<std::string> name_servers;

  // The address without the length.
  std::string host() const { return address.substr(0, address.find('/')); }
};

nlohmann::json to_json(const StaticAddress& fixed);
StaticAddress static_address_from(const nlohmann::json& json);

struct GuestIdentity {
  std::string host_name;
  std::string machine_id;
  std::string random_seed;             // bytes; goes into the guest's pool of random numbers
  std::vector<std::string> ssh_keys;   // lines as in authorized_keys(5), for the image's usual user
  std::string user_data;               // of its user's own; empty: none
  std::optional<StaticAddress> fixed;  // of its first interface; else DHCP
  std::vector<std::string> macs;       // of its interfaces
  // Of ed25519, where nobody could hear of one that it makes; else it makes its own.
  std::optional<ssh::HostKeyPair> host_key = std::nullopt;
};

// #cloud-config, or a multi-part document with the user's own as its second part. Throws base::Error{usage} for
// user-data of a kind that has no place there.
std::string user_data(const GuestIdentity& guest);

// Version 2: every interface by its MAC address, whatever the guest calls it.
std::string network_config(const GuestIdentity& guest);

}  // namespace muster::clone
