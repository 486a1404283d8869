// What a clone's disk says of it: everything of its own that its master had is another's or gone, and the rest stays.
#include "clone/offline_identity.h"

#include <map>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "parallel-ssh/host_key_pair.h"
#include "tests/parallel-ssh/support.h"

namespace muster::clone {
namespace {

using base::Code;

// A system of files in memory: paths and what they hold.
class MemoryRoot : public disk::GuestRoot {
 public:
  std::vector<std::string> names_in(const base::Context&, const std::string& directory) override {
    std::set<std::string> names;
    const std::string prefix = directory + "/";
    for (const auto& [path, content] : files)
      if (path.starts_with(prefix))
        names.insert(path.substr(prefix.size(), path.find('/', prefix.size()) - prefix.size()));
    return {names.begin(), names.end()};
  }
  std::optional<std::string> read(const base::Context&, const std::string& path) override {
    const auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  }
  void write(const base::Context&, const std::string& path, std::string_view content,
             const disk::GuestOwner& fresh) override {
    if (!files.contains(path)) owners[path] = fresh;
    files[path] = content;
    last_written = path;
  }
  void remove(const base::Context&, const std::string& path) override {
    if (!names_in({}, path).empty()) throw base::Error(Code::usage, path + ": is a directory");
    files.erase(path);
  }
  void make_directory(const base::Context&, const std::string& path, const disk::GuestOwner& fresh) override {
    owners.try_emplace(path, fresh);
  }
  void commit(const base::Context&) override {}

  std::map<std::string, std::string> files;
  std::map<std::string, disk::GuestOwner> owners;
  std::string last_written;
};

class Warnings : public base::EventSink {
 public:
  void message(base::Severity, const std::string& text) override { all += text + "\n"; }
  std::string all;
};

class OfflineIdentities : public testing::Test {
 protected:
  OfflineIdentities() {
    root.files = {{"/etc/hostname", "gold\n"},
                  {"/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 gold\n"},
                  {"/etc/machine-id", "5eed5eed5eed5eed5eed5eed5eed5eed\n"},
                  {"/etc/passwd", "root:x:0:0::/root:/bin/sh\nadmin:x:1000:1000::/home/admin:/bin/sh\n"},
                  {"/etc/ssh/sshd_config", "Port 22\n"}};
    ctx.events = &warnings;
  }
  std::vector<std::string> write() { return write_identity(ctx, root, identity); }
  bool has(const std::string& path) const { return root.files.contains(path); }

  Warnings warnings;
  base::Context ctx;
  MemoryRoot root;
  OfflineIdentity identity{.host_name = "web01",
                           .uuid = "0b50f01c-2d50-4e3b-9d4e-0123456789ab",
                           .ssh_keys = {},
                           .fixed = std::nullopt,
                           .macs = {"52:54:00:00:00:02"},
                           .former_macs = {"52:54:00:5e:ed:01"}};
};

TEST_F(OfflineIdentities, ArriveAtAWorkerAsTheyWereSent) {
  identity.ssh_keys = {"ssh-ed25519 AAAA x"};
  identity.user = "admin";
  identity.fixed = StaticAddress{.address = "192.0.2.2/24", .gateway = "192.0.2.1", .name_servers = {"::1"}};
  const auto sent = to_json(identity);
  const auto after = offline_identity_from(sent);
  EXPECT_EQ(after.host_name, identity.host_name);
  EXPECT_EQ(after.uuid, identity.uuid);
  EXPECT_EQ(after.ssh_keys, identity.ssh_keys);
  EXPECT_EQ(after.user, "admin");
  ASSERT_TRUE(after.fixed);
  EXPECT_EQ(after.fixed->address, "192.0.2.2/24");
  EXPECT_EQ(after.macs, identity.macs);
  EXPECT_EQ(after.former_macs, identity.former_macs);
  identity.fixed.reset();
  EXPECT_FALSE(offline_identity_from(to_json(identity)).fixed);
}

TEST_F(OfflineIdentities, NameAndMachineIdAreItsOwn) {
  root.files["/var/lib/dbus/machine-id"] = "5eed5eed5eed5eed5eed5eed5eed5eed\n";
  root.files["/etc/sysconfig/network"] = "HOSTNAME=gold\n";
  write();
  EXPECT_EQ(root.files["/etc/hostname"], "web01\n");
  EXPECT_EQ(root.files["/etc/hosts"], "127.0.0.1 localhost\n127.0.1.1 web01\n");
  EXPECT_EQ(root.files["/etc/sysconfig/network"], "HOSTNAME=web01\n");
  EXPECT_EQ(root.files["/etc/machine-id"], machine_id_of(identity.uuid) + "\n");
  EXPECT_EQ(root.files["/var/lib/dbus/machine-id"], root.files["/etc/machine-id"]);
  EXPECT_TRUE(root.last_written.ends_with("machine-id")) << "the last, not " << root.last_written;
  EXPECT_FALSE(has("/etc/HOSTNAME")) << "nobody there reads it";
}

TEST_F(OfflineIdentities, HostKeysAreMadeAnewOfTheKindsThatAreThere) {
  for (const auto& [kind, former] :
       {std::pair<std::string, std::string>{"rsa", ssh::make_host_key_pair(ssh::HostKeyKind::rsa).private_text},
        {"ed25519", "damaged"},
        {"dsa", "old"}}) {
    root.files["/etc/ssh/ssh_host_" + kind + "_key"] = former;
    root.files["/etc/ssh/ssh_host_" + kind + "_key.pub"] = "old";
  }
  root.files["/etc/ssh/ssh_host_rsa_key-cert.pub"] = "old";
  const auto keys = write();
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_TRUE(keys[0].starts_with("ssh-ed25519 ")) << keys[0];
  EXPECT_TRUE(keys[1].starts_with("ssh-rsa ")) << keys[1];
  EXPECT_EQ(root.files["/etc/ssh/ssh_host_ed25519_key.pub"], keys[0] + " root@web01\n");
  EXPECT_TRUE(root.files["/etc/ssh/ssh_host_rsa_key"].starts_with("-----BEGIN "));
  EXPECT_FALSE(has("/etc/ssh/ssh_host_dsa_key") || has("/etc/ssh/ssh_host_rsa_key-cert.pub"));
  EXPECT_FALSE(has("/etc/ssh/ssh_host_ecdsa_key"));
  EXPECT_EQ(root.files["/etc/ssh/sshd_config"], "Port 22\n");
}

TEST_F(OfflineIdentities, KeysAreMadeAnewWhereTheServerHasThem) {
  root.files["/etc/ssh/sshd_config.d/own.conf"] = "HostKey /etc/ssh/keys/host\n";
  root.files["/etc/ssh/keys/host"] = ssh::make_host_key_pair(ssh::HostKeyKind::ecdsa).private_text;
  root.files["/etc/ssh/ssh_host_ed25519_key"] = "not shown";
  const auto keys = write();
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_TRUE(keys[0].starts_with("ecdsa-sha2-nistp256 ")) << keys[0];
  EXPECT_EQ(root.files["/etc/ssh/keys/host.pub"], keys[0] + " root@web01\n");
  EXPECT_FALSE(has("/etc/ssh/ssh_host_ed25519_key"));
}

TEST_F(OfflineIdentities, AServerWithoutKeysGetsOne) {
  const auto keys = write();
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_TRUE(keys[0].starts_with("ssh-ed25519 "));
  EXPECT_EQ(root.owners["/etc/ssh/ssh_host_ed25519_key"].mode, 0600U);
  EXPECT_NE(write(), keys) << "never the same twice";
  root.files.erase("/etc/ssh/sshd_config");
  root.files.erase("/etc/ssh/ssh_host_ed25519_key");
  EXPECT_TRUE(write().empty()) << "there is no server";
}

TEST_F(OfflineIdentities, DropbearGetsAKeyInItsOwnForm) {
  root.files.erase("/etc/ssh/sshd_config");
  for (const std::string kind : {"rsa", "ecdsa", "ed25519"})
    root.files["/etc/dropbear/dropbear_" + kind + "_host_key"] = "old";
  const auto keys = write();
  ASSERT_EQ(keys.size(), 1U);
  const std::string& key = root.files["/etc/dropbear/dropbear_ed25519_host_key"];
  ASSERT_EQ(key.size(), 4 + 11 + 4 + 64U);
  EXPECT_EQ(key.substr(4, 11), "ssh-ed25519");
  EXPECT_FALSE(has("/etc/dropbear/dropbear_rsa_host_key") || has("/etc/dropbear/dropbear_ecdsa_host_key"));
  // An old one may know nothing of ed25519.
  root.files.erase("/etc/dropbear/dropbear_ed25519_host_key");
  root.files["/etc/dropbear/dropbear_rsa_host_key"] = "old";
  const auto failure = ssh::failure_of([&] { write(); });
  EXPECT_TRUE(failure.is(Code::unsupported, "dropbear has no host key of ed25519")) << failure;
}

TEST_F(OfflineIdentities, WhatWasTheMastersAloneIsGone) {
  const std::vector<std::string> gone{
      "/var/lib/dhcp/dhclient.eth0.leases",        "/var/lib/NetworkManager/internal-1-eth0.lease",
      "/var/lib/NetworkManager/secret_key",        "/var/lib/systemd/credential.secret",
      "/etc/udev/rules.d/70-persistent-net.rules", "/etc/dhcpcd.duid",
      "/var/lib/cloud/data/instance-id",           "/etc/salt/minion_id",
      "/var/lib/tailscale/tailscaled.state",       "/etc/pki/consumer/key.pem"};
  const std::vector<std::string> stays{"/var/lib/NetworkManager/NetworkManager.state",
                                       "/etc/udev/rules.d/60-own.rules",
                                       "/var/lib/dhcp/README",
                                       "/var/lib/systemd/timers/stamp",
                                       "/etc/fstab",
                                       "/var/lib/dhcpcd/directory/inside"};
  for (const auto& path : gone) root.files[path] = "old";
  for (const auto& path : stays) root.files[path] = "kept";
  root.files["/var/lib/systemd/random-seed"] = "old";
  root.files["/etc/iscsi/initiatorname.iscsi"] = "InitiatorName=iqn.1993-08.org.debian:01:abc\n";
  root.files["/etc/nvme/hostid"] = "old";
  write();
  for (const auto& path : gone) EXPECT_FALSE(has(path)) << path;
  for (const auto& path : stays) EXPECT_EQ(root.files[path], "kept") << path;
  EXPECT_EQ(root.files["/var/lib/systemd/random-seed"].size(), 512U);
  EXPECT_FALSE(has("/var/lib/urandom/random-seed"));
  EXPECT_NE(root.files["/etc/iscsi/initiatorname.iscsi"], "InitiatorName=iqn.1993-08.org.debian:01:abc\n");
  EXPECT_EQ(root.files["/etc/nvme/hostid"], identity.uuid + "\n");
}

TEST_F(OfflineIdentities, InterfacesAndConnectionsAreItsOwn) {
  const std::string uuid = "6a7a1c3e-0000-4000-8000-0123456789ab", ports = "/etc/NetworkManager/system-connections/";
  root.files["/etc/systemd/network/10-lan.network"] = "[Match]\nMACAddress=52:54:00:5e:ed:01\n[Network]\nDHCP=yes\n";
  root.files[ports + "lan.nmconnection"] =
      "[connection]\nuuid=" + uuid + "\n[ethernet]\nmac-address=52:54:00:5E:ED:01\n";
  root.files[ports + "vlan.nmconnection"] = "[vlan]\nparent=" + uuid + "\n";
  root.files["/etc/systemd/network/00-muster-clone.network"] = "of another clone";
  write();
  EXPECT_EQ(root.files["/etc/systemd/network/10-lan.network"],
            "[Match]\nMACAddress=52:54:00:00:00:02\n[Network]\nDHCP=yes\n");
  EXPECT_EQ(root.files[ports + "lan.nmconnection"].find(uuid), std::string::npos);
  EXPECT_NE(root.files[ports + "lan.nmconnection"].find("mac-address=52:54:00:00:00:02"), std::string::npos);
  const auto parent = root.files[ports + "vlan.nmconnection"].substr(std::string("[vlan]\nparent=").size(), 36);
  EXPECT_NE(root.files[ports + "lan.nmconnection"].find("uuid=" + parent), std::string::npos) << "they belong together";
  EXPECT_FALSE(has("/etc/systemd/network/00-muster-clone.network"));
  EXPECT_EQ(warnings.all, "");
}

TEST_F(OfflineIdentities, AFixedAddressGoesToWhateverStarts) {
  identity.fixed = StaticAddress{.address = "192.0.2.11/24", .gateway = "192.0.2.1", .name_servers = {}};
  const auto failure = ssh::failure_of([&] { write(); });
  EXPECT_TRUE(failure.is(Code::unsupported, "neither NetworkManager, nor systemd-networkd")) << failure;
  root.files["/etc/network/interfaces"] = "source /etc/network/interfaces.d/*\n";
  root.files["/etc/network/interfaces.d/lan"] = "auto eth0\niface eth0 inet dhcp\n";
  write();
  EXPECT_NE(root.files["/etc/network/interfaces.d/lan"].find("address 192.0.2.11/24"), std::string::npos);
  root.files["/etc/netplan/50-lan.yaml"] = "network: {renderer: NetworkManager}\n";
  EXPECT_FALSE(has("/etc/systemd/network/00-muster-clone.network"));
  root.files["/etc/netplan/50-lan.yaml"] = "network: {version: 2}\n";
  write();
  EXPECT_TRUE(has("/etc/systemd/network/00-muster-clone.network"));
  root.files.erase("/etc/netplan/50-lan.yaml");
  root.files["/etc/systemd/system/multi-user.target.wants/systemd-networkd.service"] = "";
  write();
  EXPECT_NE(root.files["/etc/systemd/network/00-muster-clone.network"].find("Address=192.0.2.11/24"),
            std::string::npos);
  root.files["/etc/systemd/system/multi-user.target.wants/NetworkManager.service"] = "";
  write();
  const std::string file = "/etc/NetworkManager/system-connections/muster-clone.nmconnection";
  EXPECT_NE(root.files[file].find("address1=192.0.2.11/24,192.0.2.1"), std::string::npos);
  EXPECT_EQ(root.owners[file].mode, 0600U);
}

TEST_F(OfflineIdentities, AnAddressThatAllWouldShareIsWarnedOf) {
  root.files["/etc/network/interfaces"] = "iface eth0 inet static\n    address 192.0.2.7/24\n";
  write();
  EXPECT_NE(warnings.all.find("/etc/network/interfaces seems to give it an address"), std::string::npos)
      << warnings.all;
}

TEST_F(OfflineIdentities, AnInterfaceThatNoCloneHasIsWarnedOf) {
  root.files["/etc/systemd/network/10-lan.network"] = "[Match]\nMACAddress=52:54:00:77:77:77\n";
  write();
  EXPECT_NE(warnings.all.find("is about the interface 52:54:00:77:77:77"), std::string::npos) << warnings.all;
}

TEST_F(OfflineIdentities, WhoIsToBeLetInIs) {
  identity.ssh_keys = {"ssh-ed25519 AAAA me"};
  write();
  EXPECT_EQ(root.files["/root/.ssh/authorized_keys"], "ssh-ed25519 AAAA me\n");
  identity.user = "admin";
  root.files["/home/admin/.ssh/authorized_keys"] = "ssh-rsa BBBB her";
  write();
  EXPECT_EQ(root.files["/home/admin/.ssh/authorized_keys"], "ssh-rsa BBBB her\nssh-ed25519 AAAA me\n");
  EXPECT_EQ(root.owners["/home/admin/.ssh"].uid, 1000U);
  EXPECT_EQ(root.owners["/home/admin/.ssh"].mode, 0700U);
  identity.user = "nobody";
  const auto failure = ssh::failure_of([&] { write(); });
  EXPECT_TRUE(failure.is(Code::usage, "no user 'nobody'")) << failure;
}

TEST_F(OfflineIdentities, ACloudInitWithoutASeedUndoesNothing) {
  write();
  EXPECT_FALSE(has("/etc/cloud/cloud-init.disabled"));
  root.files["/etc/cloud/cloud.cfg"] = "datasource_list: [NoCloud, None]\n";
  write();
  EXPECT_TRUE(has("/etc/cloud/cloud-init.disabled"));
}

TEST_F(OfflineIdentities, WhatIsNoLinuxIsLeftAlone) {
  root.files = {{"/Windows/System32/config/SYSTEM", ""}};
  const auto failure = ssh::failure_of([&] { write(); });
  EXPECT_TRUE(failure.is(Code::unsupported, "no /etc")) << failure;
  EXPECT_EQ(root.last_written, "");
}

}  // namespace
}  // namespace muster::clone
