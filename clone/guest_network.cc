#include "clone/guest_network.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace muster::clone {
namespace {

bool is_word(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0 || c == ':' || c == '-'; }

// Of the word at its beginning, or of what stands before the next. Not 0.
std::size_t word_length(std::string_view text) {
  const auto end = std::find_if(text.begin(), text.end(), [&](char c) { return is_word(c) != is_word(text.front()); });
  return static_cast<std::size_t>(end - text.begin());
}

// `52:54:00:12:34:56`.
bool is_hardware_address(std::string_view word) {
  constexpr std::size_t kLength = 17;
  if (word.size() != kLength) return false;
  for (std::size_t i = 0; i < kLength; ++i)
    if ((i % 3 == 2) != (word[i] == ':') || word[i] == '-') return false;
  return true;
}

bool is_comment(const std::vector<std::string>& words) { return !words.empty() && words[0].starts_with('#'); }

bool is_ipv6(const StaticAddress& fixed) { return fixed.address.find(':') != std::string::npos; }

// Of interfaces(5): what begins a part of its own.
bool begins_stanza(const std::vector<std::string>& words) {
  constexpr std::array<std::string_view, 8> kBeginnings{"iface",  "mapping",          "auto",     "source",
                                                        "rename", "source-directory", "template", "no-scripts"};
  if (words.empty()) return false;
  return words[0].starts_with("allow-") || words[0].starts_with("no-auto-down") ||
         std::find(kBeginnings.begin(), kBeginnings.end(), words[0]) != kBeginnings.end();
}

bool is_addressing(const std::string& option) {
  constexpr std::array<std::string_view, 9> kOptions{"address",     "netmask", "broadcast", "network", "gateway",
                                                     "pointopoint", "scope",   "accept_ra", "hostname"};
  return option.starts_with("dns-") || std::find(kOptions.begin(), kOptions.end(), option) != kOptions.end();
}

std::string stanza(const std::string& interface, const StaticAddress& fixed) {
  std::string text = fmt::format("iface {} {} static\n", interface, is_ipv6(fixed) ? "inet6" : "inet");
  text += "    address " + fixed.address + "\n";
  if (!fixed.gateway.empty()) text += "    gateway " + fixed.gateway + "\n";
  if (!fixed.name_servers.empty()) text += fmt::format("    dns-nameservers {}\n", fmt::join(fixed.name_servers, " "));
  return text;
}

}  // namespace

std::vector<std::string> hardware_addresses(std::string_view text) {
  std::vector<std::string> found;
  for (const auto& line : base::lines_of(text)) {
    if (is_comment(base::words_of(line))) continue;
    for (std::string_view left = line; !left.empty();) {
      const std::string word = base::lower_case(left.substr(0, word_length(left)));
      left.remove_prefix(word.size());
      if (is_hardware_address(word) && std::find(found.begin(), found.end(), word) == found.end())
        found.push_back(word);
    }
  }
  return found;
}

std::string with_words_replaced(std::string_view text, const std::map<std::string, std::string>& words) {
  std::map<std::string, std::string> known;
  for (const auto& [before, after] : words) known.emplace(base::lower_case(before), after);
  std::string all;
  while (!text.empty()) {
    const auto word = text.substr(0, word_length(text));
    const auto found = known.find(base::lower_case(word));
    all += found == known.end() ? std::string(word) : found->second;
    text.remove_prefix(word.size());
  }
  return all;
}

std::vector<std::string> connection_uuids(std::string_view text) {
  constexpr std::size_t kUuidLength = 36;
  std::vector<std::string> found;
  for (const auto& line : base::lines_of(text)) {
    if (!base::lower_case(line).starts_with("uuid=")) continue;
    std::string value = line.substr(5);
    std::erase_if(value, [](char c) { return c == '"' || c == '\''; });
    if (value.size() == kUuidLength && std::all_of(value.begin(), value.end(), is_word)) found.push_back(value);
  }
  return found;
}

bool names_fixed_address(std::string_view text) {
  for (const auto& line : base::lines_of(text)) {
    const auto words = base::words_of(line);
    if (words.empty() || is_comment(words)) continue;
    if (words[0] == "iface" && words.size() > 3 && words[3] == "static") return true;
    // networkd's, NetworkManager's, Red Hat's and netplan's.
    for (const std::string_view beginning : {"Address=", "address1=", "IPADDR=", "IPADDR0=", "addresses:"})
      if (words[0].starts_with(beginning)) return true;
  }
  return false;
}

std::string networkd_settings(const std::string& mac, const StaticAddress& fixed) {
  std::string text = "[Match]\nMACAddress=" + mac + "\n\n[Network]\nAddress=" + fixed.address + "\n";
  if (!fixed.gateway.empty()) text += "Gateway=" + fixed.gateway + "\n";
  for (const auto& server : fixed.name_servers) text += "DNS=" + server + "\n";
  return text;
}

std::string connection_settings(const std::string& mac, const StaticAddress& fixed, const std::string& uuid) {
  std::string addressing = "method=manual\naddress1=" + fixed.address;
  if (!fixed.gateway.empty()) addressing += "," + fixed.gateway;
  addressing += "\n";
  if (!fixed.name_servers.empty()) addressing += fmt::format("dns={};\n", fmt::join(fixed.name_servers, ";"));
  const bool six = is_ipv6(fixed);
  return "[connection]\nid=muster-clone\nuuid=" + uuid +
         "\ntype=ethernet\nautoconnect-priority=999\n\n[ethernet]\nmac-address=" + mac + "\n\n[ipv4]\n" +
         (six ? "method=auto\n" : addressing) + "\n[ipv6]\n" + (six ? addressing : "method=auto\n");
}

std::optional<std::string> interfaces_settings(std::string_view text, const StaticAddress& fixed) {
  const auto lines = base::lines_of(text);
  std::string interface;
  for (const auto& line : lines)
    if (const auto words = base::words_of(line);
        interface.empty() && words.size() > 1 && words[0] == "iface" && words[1] != "lo")
      interface = words[1];
  if (interface.empty()) return std::nullopt;
  const std::string family = is_ipv6(fixed) ? "inet6" : "inet";
  std::string all;
  bool told = false, inside = false;
  for (const auto& line : lines) {
    const auto words = base::words_of(line);
    if (begins_stanza(words)) inside = false;
    if (words.size() > 2 && words[0] == "iface" && words[1] == interface && words[2] == family) {
      inside = true;
      if (!told) all += stanza(interface, fixed);
      told = true;
      continue;
    }
    if (inside && !words.empty() && is_addressing(words[0])) continue;
    all += line + "\n";
  }
  if (!told) all += "\n" + stanza(interface, fixed);
  return all;
}

}  // namespace muster::clone
