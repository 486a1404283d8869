// A guest's network settings as text, for a clone: its own hardware addresses in place of its master's, and a fixed
// address for its first interface. Pure functions.
// https://www.freedesktop.org/software/systemd/man/latest/systemd.network.html,
// https://networkmanager.dev/docs/api/latest/nm-settings-keyfile.html, interfaces(5) of ifupdown.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clone/guest_identity.h"

namespace muster::clone {

// Each word that is a key, in whatever letters, by its value; words are of hexadecimal digits, colons and dashes.
std::string with_words_replaced(std::string_view text, const std::map<std::string, std::string>& words);

// The UUIDs of lines `uuid=...`, also in capital letters and quotes, as connections have them.
std::vector<std::string> connection_uuids(std::string_view text);

// What an interface is known by: hardware addresses, in small letters, each once.
std::vector<std::string> hardware_addresses(std::string_view text);

// Says that an interface has an address of its own, which all clones would share.
bool names_fixed_address(std::string_view text);

// For systemd-networkd: a file that goes before all others.
std::string networkd_settings(const std::string& mac, const StaticAddress& fixed);
// For NetworkManager: a connection that is preferred to all others.
std::string connection_settings(const std::string& mac, const StaticAddress& fixed, const std::string& uuid);
// For ifupdown: the file with the first interface that is not the loopback given this address; nullopt: it has none.
std::optional<std::string> interfaces_settings(std::string_view text, const StaticAddress& fixed);

}  // namespace muster::clone
