#include "clone/host_keys_on_disk.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "disk/guest_root.h"
#include "parallel-ssh/host_key_pair.h"
#include "virt/domain_xml.h"
#include "virt/image_files.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;
using ssh::HostKeyKind;

constexpr auto kKinds = std::to_array<std::pair<HostKeyKind, const char*>>(
    {{HostKeyKind::ed25519, "ed25519"}, {HostKeyKind::ecdsa, "ecdsa"}, {HostKeyKind::rsa, "rsa"}});
constexpr disk::GuestOwner kSecret{.mode = 0600};
const std::string kOpenssh = "/etc/ssh", kDropbear = "/etc/dropbear";
const std::string kDropbearKey = kDropbear + "/dropbear_ed25519_host_key";

std::string openssh_key(const std::string& kind) { return "ssh_host_" + kind + "_key"; }

void renew_openssh(GuestTree& guest, const std::string& host_name) {
  const auto make = [&](HostKeyKind kind, const std::string& name) {
    const auto pair = ssh::make_host_key_pair(kind);
    const std::string path = kOpenssh + "/" + openssh_key(name);
    guest.write(path, pair.private_text, kSecret);
    guest.write(path + ".pub", pair.public_line + " root@" + host_name + "\n");
  };
  bool made = false;
  for (const auto& [kind, name] : kKinds) {
    if (guest.holds(kOpenssh, openssh_key(name))) {
      make(kind, name);
      made = true;
    } else {
      // Of a key that is not there.
      guest.forget(kOpenssh, (openssh_key(name) + ".pub").c_str());
    }
  }
  if (!made && guest.holds(kOpenssh, "sshd_config")) make(HostKeyKind::ed25519, "ed25519");
  guest.forget(kOpenssh, "ssh_host_dsa_key*");
  // What others certified is of the master's keys.
  guest.forget(kOpenssh, "ssh_host_*-cert.pub");
}

void renew_dropbear(GuestTree& guest) {
  if (guest.matching(kDropbear, "dropbear_*_host_key").empty()) return;
  for (const char* kind : {"rsa", "dss", "ecdsa"})
    guest.forget(kDropbear, ("dropbear_" + std::string(kind) + "_host_key").c_str());
  guest.write(kDropbearKey, ssh::dropbear_host_key(ssh::make_host_key_pair(HostKeyKind::ed25519)), kSecret);
}

// Until then what is there is its image's. The marks are those that vm::host_keys_by_agent() looks for.
bool waits_for_cloud_init(GuestTree& guest, const std::string& instance) {
  if (instance.empty() || !guest.holds("/etc/cloud", "cloud.cfg")) return false;
  const std::string state = "/var/lib/cloud/instances/" + instance;
  return !guest.holds(state, "boot-finished") && !guest.holds(state + "/sem", "config_keys_to_console") &&
         !guest.holds(state + "/sem", "config_scripts_user");
}

std::vector<disk::MachineDisk> disks_of(const base::Context& ctx, const virt::Connection& connection,
                                        const virt::Domain& domain, const DiskReach& reach) {
  std::vector<disk::MachineDisk> disks;
  for (const auto& element : virt::DomainXml(domain.xml(virt::Domain::Xml::definition)).disks()) {
    if (element.device != "disk") continue;
    const auto path = virt::image_path(connection, element);
    const auto format = disk::image_format_named(element.format.empty() ? "raw" : element.format);
    if (!format || !path.starts_with('/'))
      throw Error(Code::unsupported,
                  "the disk " + element.target + " of '" + domain.name() + "' is no image that can be looked into");
    disks.push_back(reach(ctx, connection, path, *format, disk::Access::read));
  }
  return disks;
}

}  // namespace

std::vector<std::string> host_keys_on_disk(GuestTree& guest) {
  std::vector<std::string> lines;
  const auto add = [&](const std::optional<std::string>& line) {
    if (line) lines.push_back(*line);
  };
  for (const auto& [kind, name] : kKinds)
    if (const auto text = guest.read(kOpenssh + "/" + openssh_key(name))) add(ssh::public_line_of_openssh(*text));
  if (const auto key = guest.read(kDropbearKey)) add(ssh::public_line_of_dropbear(*key));
  return lines;
}

std::vector<std::string> host_keys_on_disk(const base::Context& ctx, const virt::Connection& connection,
                                           const virt::Domain& domain, const std::string& instance,
                                           const DiskReach& reach) {
  const auto root = disk::open_guest_root(ctx, disks_of(ctx, connection, domain, reach), disk::Access::read);
  GuestTree guest(ctx, *root);
  return waits_for_cloud_init(guest, instance) ? std::vector<std::string>{} : host_keys_on_disk(guest);
}

std::vector<std::string> renew_host_keys(GuestTree& guest, const std::string& host_name) {
  renew_openssh(guest, host_name);
  renew_dropbear(guest);
  return host_keys_on_disk(guest);
}

}  // namespace muster::clone
