#include "clone/offline_identity.h"

#include <algorithm>
#include <array>
#include <map>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/error.h"
#include "clone/first_boot.h"
#include "clone/forgotten_files.h"
#include "clone/guest_network.h"
#include "clone/guest_text.h"
#include "clone/guest_tree.h"
#include "clone/host_keys_on_disk.h"
#include "virt/storage.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

// Another than that of its directory: sshd reads it under this alone.
constexpr const char* kSshLabel = "system_u:object_r:ssh_home_t:s0";
constexpr const char* kNetworkd = "/etc/systemd/network";
constexpr const char* kNetworkdFile = "00-muster-clone.network";
constexpr const char* kConnections = "/etc/NetworkManager/system-connections";
constexpr const char* kConnectionFile = "muster-clone.nmconnection";
constexpr const char* kInterfaces = "/etc/network/interfaces";
// Where systems keep what they know of interfaces, in files of their own or one for all.
constexpr std::array kNetworkFiles{std::pair{"/etc/network", "interfaces"},
                                   std::pair{"/etc/network/interfaces.d", "*"},
                                   std::pair{"/etc/netplan", "*.yaml"},
                                   std::pair{kNetworkd, "*"},
                                   std::pair{kConnections, "*"},
                                   std::pair{"/etc/sysconfig/network-scripts", "ifcfg-*"},
                                   std::pair{"/etc/sysconfig/network", "ifcfg-*"}};

class IdentityWriter {
 public:
  IdentityWriter(const base::Context& ctx, disk::GuestRoot& root, const OfflineIdentity& identity)
      : guest_(ctx, root), identity_(identity) {}

  std::vector<std::string> write() {
    if (guest_.names_in("/etc").empty())
      throw Error(Code::unsupported,
                  "'" + identity_.host_name + "' has no /etc: an identity is written for Linux alone");
    write_name();
    forget_former_identity(guest_);
    // It would find no seed, and undo what is written here.
    if (guest_.holds("/etc/cloud", "cloud.cfg")) guest_.write("/etc/cloud/cloud-init.disabled", "");
    write_random_seeds();
    write_storage_identity();
    rename_interfaces();
    write_address();
    let_in();
    auto keys = renew_host_keys(guest_, identity_.host_name);
    // The last: what has looked at it before may have taken the former for its own.
    write_machine_id();
    return keys;
  }

 private:
  void write_name() {
    const std::string former = first_line(guest_.read("/etc/hostname").value_or(""));
    guest_.write("/etc/hostname", identity_.host_name + "\n");
    const auto retell = [&](const char* path, const auto& changed) {
      if (const auto text = guest_.read(path)) guest_.change(path, *text, changed(*text));
    };
    retell("/etc/HOSTNAME", [&](const auto&) { return identity_.host_name + "\n"; });
    retell("/etc/sysconfig/network", [&](const auto& text) { return with_host_name(text, identity_.host_name); });
    retell("/etc/hosts", [&](const auto& text) {
      return hosts_renamed(text, former, identity_.host_name, identity_.fixed ? identity_.fixed->host() : "");
    });
  }

  // Of those that are there: each system has its own place.
  void write_random_seeds() {
    constexpr std::size_t kBytes = 512;
    for (const char* path : {"/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed",
                             "/var/lib/misc/random-seed", "/var/lib/random-seed"})
      if (guest_.read(path)) guest_.write(path, base::random_bytes(kBytes), kSecret);
  }

  // By which servers of iSCSI and NVMe know it.
  void write_storage_identity() {
    if (const auto text = guest_.read("/etc/iscsi/initiatorname.iscsi"))
      guest_.change("/etc/iscsi/initiatorname.iscsi", *text,
                    initiator_renamed(*text, base::hex(base::random_bytes(6))));
    if (guest_.read("/etc/nvme/hostid")) guest_.write("/etc/nvme/hostid", identity_.uuid + "\n");
    if (guest_.read("/etc/nvme/hostnqn"))
      guest_.write("/etc/nvme/hostnqn", "nqn.2014-08.org.nvmexpress:uuid:" + identity_.uuid + "\n");
  }

  void rename_interfaces() {
    std::map<std::string, std::string> words;
    for (std::size_t i = 0; i < std::min(identity_.macs.size(), identity_.former_macs.size()); ++i)
      words.emplace(identity_.former_macs[i], identity_.macs[i]);
    std::map<std::string, std::string> files;
    // What an earlier clone was told; this one is told anew.
    guest_.forget(kNetworkd, kNetworkdFile);
    guest_.forget(kConnections, kConnectionFile);
    for (const auto& [directory, pattern] : kNetworkFiles)
      for (const auto& name : guest_.matching(directory, pattern)) {
        const std::string path = std::string(directory) + "/" + name;
        const auto text = guest_.read(path);
        if (!text) continue;
        for (const auto& uuid : connection_uuids(*text)) words.try_emplace(uuid, vm::fresh_uuid());
        files.emplace(path, *text);
      }
    for (const auto& [path, text] : files) {
      const std::string changed = with_words_replaced(text, words);
      check_settings(path, changed);
      guest_.change(path, text, changed);
    }
  }

  // What will not do for its clones, as far as can be told. The same for all of them: it is said once.
  void check_settings(const std::string& path, const std::string& text) {
    if (!identity_.fixed && names_fixed_address(text))
      guest_.warn("the master's " + path +
                  " seems to give it an address of its own, which its clones keep: --address gives each another");
    for (const auto& address : hardware_addresses(text))
      if (std::find(identity_.macs.begin(), identity_.macs.end(), address) == identity_.macs.end() &&
          address != "ff:ff:ff:ff:ff:ff" && address != "00:00:00:00:00:00")
        guest_.warn("the master's " + path + " is about the interface " + address +
                    ", which is not known as its own: its clones have no such");
  }

  bool starts(const char* service) { return guest_.holds("/etc/systemd/system/multi-user.target.wants", service); }

  void write_address() {
    if (!identity_.fixed || identity_.macs.empty()) return;
    const std::string& mac = identity_.macs.front();
    if (starts("NetworkManager.service")) {
      guest_.make_directory(kConnections, {.mode = 0700});
      return guest_.write(std::string(kConnections) + "/" + kConnectionFile,
                          connection_settings(mac, *identity_.fixed, vm::fresh_uuid()), kSecret);
    }
    if (starts("systemd-networkd.service") || has_netplan()) {
      guest_.make_directory(kNetworkd, {.mode = 0755});
      return guest_.write(std::string(kNetworkd) + "/" + kNetworkdFile, networkd_settings(mac, *identity_.fixed));
    }
    if (address_ifupdown()) return;
    throw Error(Code::unsupported, "'" + identity_.host_name +
                                       "' has neither NetworkManager, nor systemd-networkd, nor an interface in " +
                                       kInterfaces + ": nothing in it can be told an address");
  }

  // Which starts systemd-networkd, unless it is told otherwise, from a directory that is gone when the machine is off.
  bool has_netplan() {
    bool found = false;
    for (const auto& name : guest_.matching("/etc/netplan", "*.yaml")) {
      found = true;
      if (guest_.read("/etc/netplan/" + name).value_or("").find("renderer: NetworkManager") != std::string::npos)
        return false;
    }
    return found;
  }

  // In the first file that has an interface: the usual one, or those that it names.
  bool address_ifupdown() {
    std::vector<std::string> paths{kInterfaces};
    for (const auto& name : guest_.matching("/etc/network/interfaces.d", "*"))
      paths.push_back("/etc/network/interfaces.d/" + name);
    for (const auto& path : paths) {
      const auto text = guest_.read(path);
      const auto changed = text ? interfaces_settings(*text, *identity_.fixed) : std::nullopt;
      if (!changed) continue;
      guest_.change(path, *text, *changed);
      return true;
    }
    return false;
  }

  void let_in() {
    if (identity_.ssh_keys.empty()) return;
    const auto account = account_of(guest_.read("/etc/passwd").value_or(""), identity_.user);
    if (!account)
      throw Error(Code::usage,
                  "'" + identity_.host_name + "' has no user '" + identity_.user + "' to let in: --user NAME");
    const disk::GuestOwner owner{.mode = 0600, .uid = account->uid, .gid = account->gid, .label = kSshLabel};
    const std::string directory = account->home + "/.ssh", path = directory + "/authorized_keys";
    guest_.make_directory(directory, {.mode = 0700, .uid = owner.uid, .gid = owner.gid, .label = kSshLabel});
    const std::string before = guest_.read(path).value_or("");
    const std::string after = with_lines_added(before, identity_.ssh_keys);
    if (before != after) guest_.write(path, after, owner);
  }

  void write_machine_id() {
    const std::string line = machine_id_of(identity_.uuid) + "\n";
    guest_.write("/etc/machine-id", line, {.mode = 0444});
    // A link to the other, or of its own.
    if (const auto there = guest_.read("/var/lib/dbus/machine-id"))
      guest_.change("/var/lib/dbus/machine-id", *there, line);
  }

  GuestTree guest_;
  const OfflineIdentity& identity_;
};

std::vector<disk::MachineDisk> disks_to_write(const base::Context& ctx, const virt::Connection& connection,
                                              const vm::Making& making, const DiskReach& reach) {
  std::vector<disk::MachineDisk> disks;
  for (const auto& volume : making.volumes) {
    if (volume.seed) continue;
    const auto path = virt::pool(connection, volume.pool).volume(volume.spec.name).path();
    const bool raw = volume.spec.format == virt::VolumeFormat::raw;
    disks.push_back(
        reach(ctx, connection, path, raw ? disk::ImageFormat::raw : disk::ImageFormat::qcow2, disk::Access::write));
  }
  return disks;
}

}  // namespace

json to_json(const OfflineIdentity& identity) {
  json fields = {{"host_name", identity.host_name}, {"uuid", identity.uuid}, {"ssh_keys", identity.ssh_keys},
                 {"user", identity.user},           {"macs", identity.macs}, {"former_macs", identity.former_macs}};
  if (identity.fixed) fields["fixed"] = to_json(*identity.fixed);
  return fields;
}

OfflineIdentity offline_identity_from(const json& fields) {
  OfflineIdentity identity{.host_name = fields.at("host_name"),
                           .uuid = fields.at("uuid"),
                           .ssh_keys = fields.at("ssh_keys"),
                           .user = fields.at("user"),
                           .fixed = std::nullopt,
                           .macs = fields.at("macs"),
                           .former_macs = fields.at("former_macs")};
  if (fields.contains("fixed")) identity.fixed = static_address_from(fields["fixed"]);
  return identity;
}

std::vector<std::string> write_identity(const base::Context& ctx, disk::GuestRoot& root,
                                        const OfflineIdentity& identity) {
  return IdentityWriter(ctx, root, identity).write();
}

std::vector<virt::MetadataElement> write_identity(const base::Context& ctx, const virt::Connection& connection,
                                                  const vm::Making& making, const OfflineIdentity& identity,
                                                  const DiskReach& reach) {
  const auto root = disk::open_guest_root(ctx, disks_to_write(ctx, connection, making, reach), disk::Access::write);
  const auto keys = write_identity(ctx, *root, identity);
  root->commit(ctx);
  if (keys.empty()) return {};
  return {note_of_keys(identity.uuid, {.keys = keys, .by = HeardBy::disk})};
}

}  // namespace muster::clone
