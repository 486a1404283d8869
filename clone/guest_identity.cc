#include "clone/guest_identity.h"

#include <array>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "yaml/scalar.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;

constexpr const char* kBoundary = "==muster-clone-user-data==";

// By what user-data begins with, as cloud-init tells its kinds apart.
constexpr auto kKinds = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"#cloud-config-archive", "text/cloud-config-archive"},
    {"#cloud-config-jsonp", "text/cloud-config-jsonp"},
    {"#cloud-config", "text/cloud-config"},
    {"#include", "text/x-include-url"},
    {"#!", "text/x-shellscript"},
    {"#cloud-boothook", "text/cloud-boothook"},
    {"#part-handler", "text/part-handler"},
    {"## template: jinja", "text/jinja2"},
});

// Once for an instance, before anything else that the seed asks for. What an image that was booted before has of it
// would be all its clones'; systemd's network daemon has asked for an address with the old identity by then.
std::string renewal(const std::string& machine_id) {
  return "for f in /etc/machine-id /var/lib/dbus/machine-id; do"
         " if [ -e $f ] && [ ! -L $f ]; then echo " +
         machine_id +
         " > $f; fi; done;"
         " rm -f /var/lib/systemd/random-seed /var/lib/systemd/credential.secret"
         " /etc/udev/rules.d/70-persistent-net.rules /var/lib/dhcp/*.lease* /var/lib/dhclient/*.lease*"
         " /var/lib/NetworkManager/*.lease /var/lib/NetworkManager/secret_key;"
         " if [ -f /etc/iscsi/initiatorname.iscsi ] && command -v iscsi-iname > /dev/null; then"
         " echo InitiatorName=$(iscsi-iname) > /etc/iscsi/initiatorname.iscsi; fi;"
         " if systemctl -q is-active systemd-networkd; then systemctl restart systemd-networkd; fi";
}

// For a literal block.
std::string indented(std::string_view text) {
  std::string all;
  for (const auto& line : base::lines_of(text)) all += "    " + line + "\n";
  return all;
}

std::string own_part(const GuestIdentity& guest) {
  std::string text = "#cloud-config\n";
  text += "hostname: " + yaml::in_single_quotes(guest.host_name) + "\n";
  text += "preserve_hostname: false\n";
  text += "manage_etc_hosts: localhost\n";
  text += "ssh_deletekeys: true\n";
  text += "bootcmd:\n  - [cloud-init-per, instance, muster-identity, sh, -c, " +
          yaml::in_single_quotes(renewal(guest.machine_id)) + "]\n";
  // Before cloud-init tells the keys: whoever is cut off after that has those that were told, and no empty files.
  text += "runcmd:\n  - [sync]\n";
  if (!guest.random_seed.empty())
    text += "random_seed: {file: /dev/urandom, encoding: base64, data: " +
            yaml::in_single_quotes(base::base64_encode(guest.random_seed)) + "}\n";
  if (guest.host_key)
    text += "ssh_keys:\n  ed25519_public: " + yaml::in_single_quotes(guest.host_key->public_line) +
            "\n  ed25519_private: |\n" + indented(guest.host_key->private_text);
  if (guest.ssh_keys.empty()) return text;
  text += "ssh_authorized_keys:\n";
  for (const auto& key : guest.ssh_keys) text += "  - " + yaml::in_single_quotes(key) + "\n";
  return text;
}

std::string_view kind_of(const std::string& user_data) {
  for (const auto& [beginning, kind] : kKinds)
    if (user_data.starts_with(beginning)) return kind;
  throw Error(
      Code::usage,
      "user-data that is to stand beside a clone's own begins with #cloud-config, #!, #include, #cloud-boothook, "
      "#part-handler or ## template: jinja");
}

// In base64: whatever it holds, it is not the boundary. Lists of both are put together, and not one in place of the
// other.
std::string part(std::string_view kind, const std::string& body) {
  std::string text = "--" + std::string(kBoundary) + "\nContent-Type: " + std::string(kind) +
                     "; charset=\"utf-8\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n"
                     "Merge-Type: list(append)+dict(no_replace,recurse_list)+str()\n\n";
  const std::string encoded = base::base64_encode(body);
  constexpr std::size_t kLine = 76;
  for (std::size_t at = 0; at < encoded.size(); at += kLine) text += encoded.substr(at, kLine) + "\n";
  return text;
}

}  // namespace

std::string machine_id_of(const std::string& uuid) {
  const auto digest = base::sha256("muster machine-id " + uuid);
  std::string bytes(base::as_text(digest).substr(0, 16));
  // As of a random UUID, which systemd's own are.
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  return base::hex(bytes);
}

nlohmann::json to_json(const StaticAddress& fixed) {
  return {{"address", fixed.address}, {"gateway", fixed.gateway}, {"name_servers", fixed.name_servers}};
}

StaticAddress static_address_from(const nlohmann::json& fields) {
  return {.address = fields.at("address"), .gateway = fields.at("gateway"), .name_servers = fields.at("name_servers")};
}

std::string user_data(const GuestIdentity& guest) {
  const std::string own = own_part(guest);
  if (guest.user_data.empty()) return own;
  return "Content-Type: multipart/mixed; boundary=\"" + std::string(kBoundary) + "\"\nMIME-Version: 1.0\n\n" +
         part("text/cloud-config", own) + part(kind_of(guest.user_data), guest.user_data) + "--" +
         std::string(kBoundary) + "--\n";
}

std::string network_config(const GuestIdentity& guest) {
  // cloud-init reads a mapping also where there is nothing in it.
  std::string text = std::string("version: 2\nethernets:") + (guest.macs.empty() ? " {}\n" : "\n");
  for (std::size_t i = 0; i < guest.macs.size(); ++i) {
    text += "  net" + std::to_string(i) + ":\n    match: {macaddress: " + yaml::in_single_quotes(guest.macs[i]) + "}\n";
    if (i != 0 || !guest.fixed) {
      // Clients that name themselves by machine-id would all be one, as long as that is the master's.
      text += "    dhcp4: true\n    dhcp-identifier: mac\n";
      continue;
    }
    text += "    addresses: [" + yaml::in_single_quotes(guest.fixed->address) + "]\n";
    const bool six = guest.fixed->address.find(':') != std::string::npos;
    if (!guest.fixed->gateway.empty())
      text += "    routes: [{to: '" + std::string(six ? "::/0" : "0.0.0.0/0") +
              "', via: " + yaml::in_single_quotes(guest.fixed->gateway) + "}]\n";
    if (guest.fixed->name_servers.empty()) continue;
    text += "    nameservers: {addresses: [";
    for (std::size_t n = 0; n < guest.fixed->name_servers.size(); ++n)
      text += (n == 0 ? "" : ", ") + yaml::in_single_quotes(guest.fixed->name_servers[n]);
    text += "]}\n";
  }
  return text;
}

}  // namespace muster::clone
