#include "clone/host_keys_on_disk.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "clone/guest_text.h"
#include "disk/guest_root.h"
#include "parallel-ssh/host_key_pair.h"
#include "virt/domain_xml.h"
#include "virt/image_files.h"
#include "vm/guest_host_keys.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;
using ssh::HostKeyKind;

const std::string kOpenssh = "/etc/ssh", kDropbear = "/etc/dropbear";
const std::string kDropbearKey = kDropbear + "/dropbear_ed25519_host_key";

// Of a private key that is to have a successor: of one that no server can show, the usual kind.
HostKeyKind kind_of(const std::string& private_text) {
  const std::string line = ssh::public_line_of_openssh(private_text).value_or("");
  if (line.starts_with("ecdsa-sha2-")) return HostKeyKind::ecdsa;
  return line.starts_with("ssh-rsa ") ? HostKeyKind::rsa : HostKeyKind::ed25519;
}

// Where its settings say that they are, or else where OpenSSH has them.
std::vector<std::string> openssh_paths(GuestTree& guest) {
  std::vector<std::string> paths;
  std::vector<std::string> files{kOpenssh + "/sshd_config"};
  for (const auto& name : guest.matching(kOpenssh + "/sshd_config.d", "*.conf"))
    files.push_back(kOpenssh + "/sshd_config.d/" + name);
  for (const auto& file : files)
    for (auto& path : host_key_settings(guest.read(file).value_or(""))) paths.push_back(std::move(path));
  if (!paths.empty()) return paths;
  for (const char* kind : {"ed25519", "ecdsa", "rsa"})
    paths.push_back(kOpenssh + "/ssh_host_" + std::string(kind) + "_key");
  return paths;
}

void make_openssh(GuestTree& guest, HostKeyKind kind, const std::string& path, const std::string& host_name) {
  const auto pair = ssh::make_host_key_pair(kind);
  guest.write(path, pair.private_text, kSecret);
  guest.write(path + ".pub", pair.public_line + " root@" + host_name + "\n");
}

void renew_openssh(GuestTree& guest, const std::string& host_name) {
  const auto paths = openssh_paths(guest);
  bool made = false;
  for (const auto& path : paths) {
    const auto former = guest.read(path);
    if (!former) continue;
    make_openssh(guest, kind_of(*former), path, host_name);
    made = true;
  }
  if (!made && guest.holds(kOpenssh, "sshd_config"))
    make_openssh(guest, HostKeyKind::ed25519, paths.front(), host_name);
  // Of keys that are not there, or that this server does not show, and what others certified of the master's.
  for (const char* kind : {"ed25519", "ecdsa", "rsa", "dsa"}) {
    const std::string name = "ssh_host_" + std::string(kind) + "_key", path = kOpenssh + "/" + name;
    if (std::find(paths.begin(), paths.end(), path) != paths.end() && guest.holds(kOpenssh, name)) continue;
    guest.forget(kOpenssh, name.c_str());
    guest.forget(kOpenssh, (name + ".pub").c_str());
  }
  guest.forget(kOpenssh, "ssh_host_*-cert.pub");
}

void renew_dropbear(GuestTree& guest) {
  for (const char* early : {"/etc/dropbear/initramfs", "/etc/dropbear-initramfs"})
    if (!guest.matching(early, "dropbear_*_host_key").empty())
      guest.warn(std::string("the master's ") + early +
                 " has host keys for its initial RAM disk, which its clones have, too: make them anew there");
  if (guest.matching(kDropbear, "dropbear_*_host_key").empty()) return;
  if (!guest.read(kDropbearKey))
    throw Error(Code::unsupported,
                "its dropbear has no host key of ed25519, and others are not made for it: remove "
                "them in the master where dropbear makes its own, or seal it with --guest none");
  for (const char* kind : {"rsa", "dss", "ecdsa"})
    guest.forget(kDropbear, ("dropbear_" + std::string(kind) + "_host_key").c_str());
  guest.write(kDropbearKey, ssh::dropbear_host_key(ssh::make_host_key_pair(HostKeyKind::ed25519)), kSecret);
}

// Until then what is there is its image's.
bool waits_for_cloud_init(GuestTree& guest, const std::string& instance) {
  if (instance.empty() || !guest.holds("/etc/cloud", "cloud.cfg")) return false;
  const std::string state = "/var/lib/cloud/instances/" + instance + "/";
  return std::none_of(vm::kMarksOfKeysMade.begin(), vm::kMarksOfKeysMade.end(),
                      [&](const char* mark) { return guest.read(state + mark).has_value(); });
}

std::vector<disk::MachineDisk> disks_to_read(const base::Context& ctx, const virt::Connection& connection,
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
  for (const auto& path : openssh_paths(guest))
    if (const auto text = guest.read(path)) add(ssh::public_line_of_openssh(*text));
  if (const auto key = guest.read(kDropbearKey)) add(ssh::public_line_of_dropbear(*key));
  return lines;
}

std::vector<std::string> host_keys_on_disk(const base::Context& ctx, const virt::Connection& connection,
                                           const virt::Domain& domain, const std::string& instance,
                                           const DiskReach& reach) {
  const auto root = disk::open_guest_root(ctx, disks_to_read(ctx, connection, domain, reach), disk::Access::read);
  GuestTree guest(ctx, *root);
  return waits_for_cloud_init(guest, instance) ? std::vector<std::string>{} : host_keys_on_disk(guest);
}

std::vector<std::string> renew_host_keys(GuestTree& guest, const std::string& host_name) {
  renew_openssh(guest, host_name);
  renew_dropbear(guest);
  return host_keys_on_disk(guest);
}

}  // namespace muster::clone
