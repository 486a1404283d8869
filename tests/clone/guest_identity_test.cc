// What a clone's guest is told about itself. Read back by the project's own YAML, so that what a hostile name or key
// does to it is seen; whether cloud-init does as it is told is tests/e2e's.
#include "clone/guest_identity.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "base/digest.h"
#include "tests/parallel-ssh/support.h"
#include "yaml/document.h"

namespace muster::clone {
namespace {

using base::Code;
using Strings = std::vector<std::string>;

constexpr const char* kUuid = "11111111-2222-4333-8444-555555555555";

GuestIdentity some_guest() {
  return {.host_name = "web01",
          .machine_id = machine_id_of(kUuid),
          .random_seed = {},
          .ssh_keys = {},
          .user_data = {},
          .fixed = {},
          .macs = {"52:54:00:00:00:01"}};
}

yaml::Node parsed(const std::string& text) { return yaml::parse(text, "seed").root; }

// `a.b.0`: the text of what is there; `-` where nothing is.
std::string at(const yaml::Node& root, const std::string& path) {
  const yaml::Node* node = &root;
  for (std::size_t from = 0; from <= path.size() && node != nullptr;) {
    const std::size_t end = std::min(path.find('.', from), path.size());
    const std::string key = path.substr(from, end - from);
    from = end + 1;
    if (!node->is_sequence()) {
      node = node->find(key);
      continue;
    }
    const std::size_t index = std::stoul(key);
    node = index < node->items.size() ? &node->items[index] : nullptr;
  }
  return node == nullptr ? "-" : node->text;
}

Strings keys_of(const yaml::Node& mapping) {
  Strings keys;
  for (const auto& entry : mapping.entries) keys.push_back(entry.key.text);
  return keys;
}

TEST(MachineId, IsMadeOfTheUuidAlone) {
  EXPECT_EQ(machine_id_of(kUuid), machine_id_of(kUuid));
  // By Python's hashlib. It must not change: guests keep it in their /etc/machine-id.
  EXPECT_EQ(machine_id_of(kUuid), "e88292a452e64f8e889e11cd5094db02");
  EXPECT_NE(machine_id_of(kUuid), machine_id_of("11111111-2222-4333-8444-555555555556"));
}

TEST(MachineId, Is32DigitsShapedLikeARandomUuid) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = machine_id_of(std::to_string(i));
    ASSERT_EQ(id.size(), 32U);
    ASSERT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos) << id;
    ASSERT_EQ(id[12], '4') << "version: " << id;
    ASSERT_NE(std::string("89ab").find(id[16]), std::string::npos) << "variant: " << id;
    ASSERT_TRUE(seen.insert(id).second);
  }
}

TEST(UserData, TellsTheGuestWhoItIs) {
  auto guest = some_guest();
  guest.ssh_keys = {"ssh-ed25519 AAAA one", "ssh-rsa BBBB two"};
  guest.random_seed = std::string("\0\xff seed", 7);
  const std::string text = user_data(guest);
  ASSERT_TRUE(text.starts_with("#cloud-config\n"));
  const auto root = parsed(text);
  EXPECT_EQ(at(root, "hostname"), "web01");
  EXPECT_EQ(at(root, "preserve_hostname"), "false");
  EXPECT_EQ(at(root, "ssh_deletekeys"), "true");
  EXPECT_EQ(at(root, "ssh_authorized_keys.0"), "ssh-ed25519 AAAA one");
  EXPECT_EQ(at(root, "ssh_authorized_keys.1"), "ssh-rsa BBBB two");
  EXPECT_EQ(at(root, "ssh_authorized_keys.2"), "-");
  EXPECT_EQ(at(root, "random_seed.encoding"), "base64");
  EXPECT_EQ(base::base64_decode(at(root, "random_seed.data")), guest.random_seed);
}

TEST(UserData, RenewsWhatTheImageHasFromBefore) {
  const auto root = parsed(user_data(some_guest()));
  const Strings command{"cloud-init-per", "instance", "muster-identity", "sh", "-c"};
  for (std::size_t i = 0; i < command.size(); ++i) EXPECT_EQ(at(root, "bootcmd.0." + std::to_string(i)), command[i]);
  const std::string script = at(root, "bootcmd.0.5");
  for (const char* what : {"/etc/machine-id", "/var/lib/dbus/machine-id", "random-seed", "credential.secret",
                           "70-persistent-net.rules", "lease", "initiatorname.iscsi"})
    EXPECT_NE(script.find(what), std::string::npos) << what;
  EXPECT_NE(script.find("echo " + machine_id_of(kUuid) + " >"), std::string::npos) << script;
  const auto ran = ssh::run_program({"sh", "-n", "-c", script});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(at(root, "bootcmd.1"), "-");
}

TEST(UserData, HasTheGuestWriteItsKeysBeforeItTellsThem) {
  const auto root = parsed(user_data(some_guest()));
  EXPECT_EQ(at(root, "runcmd.0.0"), "sync");
}

TEST(UserData, HandsOverAKeyWhereThatIsAskedFor) {
  auto guest = some_guest();
  guest.host_key = ssh::HostKeyPair{.private_text = "-----BEGIN\nAAA=\n-----END\n", .public_line = "ssh-ed25519 BBB"};
  const auto root = parsed(user_data(guest));
  EXPECT_EQ(at(root, "ssh_keys.ed25519_private"), guest.host_key->private_text);
  EXPECT_EQ(at(root, "ssh_keys.ed25519_public"), "ssh-ed25519 BBB");
}

TEST(UserData, HasNoEmptyLists) {
  const Strings keys = keys_of(parsed(user_data(some_guest())));
  EXPECT_EQ(std::count(keys.begin(), keys.end(), "ssh_authorized_keys"), 0);
  EXPECT_EQ(std::count(keys.begin(), keys.end(), "random_seed"), 0);
}

TEST(UserData, QuotesWhatYamlWouldReadOtherwise) {
  for (const std::string hostile : {"yes",
                                    "null",
                                    "123",
                                    "0x1f",
                                    "1e3",
                                    "~",
                                    "it's",
                                    "''",
                                    "'",
                                    "\"double\"",
                                    "a: b",
                                    "a # b",
                                    "#c",
                                    "- x",
                                    "[x]",
                                    "{x: y}",
                                    "&a",
                                    "*a",
                                    "!t",
                                    "%d",
                                    "@at",
                                    "`b`",
                                    "a\\nb",
                                    "key: 'v' # \"c\"",
                                    "x'\npower_state: [evil]\ny: '"}) {
    auto guest = some_guest();
    guest.host_name = hostile;
    guest.ssh_keys = {"ssh-ed25519 AAAA " + hostile};
    const auto root = parsed(user_data(guest));
    if (hostile.find('\n') == std::string::npos) {
      EXPECT_EQ(at(root, "hostname"), hostile);
      EXPECT_EQ(at(root, "ssh_authorized_keys.0"), guest.ssh_keys[0]);
    }
    EXPECT_FALSE(root.find("hostname")->plain);
    EXPECT_EQ(root.find("power_state"), nullptr) << hostile;
    EXPECT_EQ(keys_of(root), (Strings{"hostname", "preserve_hostname", "manage_etc_hosts", "ssh_deletekeys", "bootcmd",
                                      "runcmd", "ssh_authorized_keys"}));
  }
}

struct Part {
  std::string head, body;
};

// Of a multi-part document whose parts are in base64.
std::vector<Part> parts_of(const std::string& document) {
  const std::size_t mark = document.find("boundary=\"") + 10;
  const std::string boundary = "--" + document.substr(mark, document.find('"', mark) - mark);
  std::vector<Part> parts;
  for (std::size_t from = document.find("\n" + boundary + "\n"); from != std::string::npos;) {
    const std::size_t begin = from + boundary.size() + 2, next = document.find("\n" + boundary, begin);
    const std::string part = document.substr(begin, next - begin);
    const std::size_t empty = part.find("\n\n");
    std::string encoded;
    for (const char c : part.substr(empty + 2))
      if (c != '\n') encoded += c;
    parts.push_back({part.substr(0, empty), base::base64_decode(encoded).value_or("no base64: " + encoded)});
    from = document.compare(next + 1 + boundary.size(), 2, "--") == 0 ? std::string::npos : next;
  }
  return parts;
}

TEST(UserData, OfItsUsersOwnStandsBesideTheClonesOwn) {
  struct {
    const char *begins_with, *kind;
  } const kinds[] = {
      {"#cloud-config\npackages: [nginx]\n", "text/cloud-config;"},
      {"#cloud-config-archive\n- a\n", "text/cloud-config-archive;"},
      {"#cloud-config-jsonp\n[]\n", "text/cloud-config-jsonp;"},
      {"#include\nhttp://x/\n", "text/x-include-url;"},
      {"#!/bin/sh\necho \xff\n", "text/x-shellscript;"},
      {"#cloud-boothook\nx\n", "text/cloud-boothook;"},
      {"#part-handler\nx\n", "text/part-handler;"},
      {"## template: jinja\n#cloud-config\n", "text/jinja2;"},
  };
  for (const auto& one : kinds) {
    auto guest = some_guest();
    const std::string own = user_data(guest);
    // Longer than a line of base64, and with what ends a part.
    guest.user_data = one.begins_with + std::string(200, 'x') + "\n--==muster-clone-user-data==--\n\n";
    const std::string document = user_data(guest);
    EXPECT_TRUE(document.starts_with("Content-Type: multipart/mixed; boundary="));
    EXPECT_NE(document.find("\nMIME-Version: 1.0\n\n"), std::string::npos);
    for (std::size_t from = 0, end = 0; end != std::string::npos; from = end + 1) {
      end = document.find('\n', from);
      EXPECT_LE(std::min(end, document.size()) - from, 80U);
    }
    const auto parts = parts_of(document);
    ASSERT_EQ(parts.size(), 2U) << document;
    EXPECT_NE(parts[0].head.find("Content-Type: text/cloud-config;"), std::string::npos) << parts[0].head;
    EXPECT_EQ(parts[0].body, own);
    EXPECT_NE(parts[1].head.find("Content-Type: " + std::string(one.kind)), std::string::npos) << parts[1].head;
    EXPECT_EQ(parts[1].body, guest.user_data);
    for (const auto& part : parts)
      EXPECT_NE(part.head.find("Content-Transfer-Encoding: base64"), std::string::npos) << part.head;
  }
}

TEST(UserData, OfAKindThatHasNoPlaceThereIsRefused) {
  for (const std::string text : {"packages: [nginx]\n", "Content-Type: multipart/mixed\n", "\x1f\x8b\x08gzip",
                                 " #cloud-config\n", "#", "# x", "<powershell>", "\n#cloud-config\n"}) {
    auto guest = some_guest();
    guest.user_data = text;
    EXPECT_TRUE(ssh::failure_of([&] { user_data(guest); }).is(Code::usage, "#cloud-config")) << text;
  }
}

TEST(NetworkConfig, AsksForAddressesByTheMacAndNotTheMachineId) {
  const auto root = parsed(network_config(some_guest()));
  EXPECT_EQ(keys_of(root), (Strings{"version", "ethernets"}));
  EXPECT_EQ(at(root, "version"), "2");
  EXPECT_EQ(at(root, "ethernets.net0.match.macaddress"), "52:54:00:00:00:01");
  EXPECT_FALSE(root.find("ethernets")->find("net0")->find("match")->find("macaddress")->plain) << "base 60 in YAML 1.1";
  EXPECT_EQ(at(root, "ethernets.net0.dhcp4"), "true");
  EXPECT_EQ(at(root, "ethernets.net0.dhcp-identifier"), "mac");
}

TEST(NetworkConfig, GivesTheFirstInterfaceItsAddress) {
  struct {
    StaticAddress fixed;
    std::string to, via;
    Strings keys;
  } const cases[] = {
      {{.address = "192.0.2.11/24", .gateway = "192.0.2.1", .name_servers = {"192.0.2.53", "2001:db8::53"}},
       "0.0.0.0/0",
       "192.0.2.1",
       {"match", "addresses", "routes", "nameservers"}},
      {{.address = "2001:db8::11/64", .gateway = "fe80::1", .name_servers = {"2001:db8::53"}},
       "::/0",
       "fe80::1",
       {"match", "addresses", "routes", "nameservers"}},
      {{.address = "192.0.2.11/24", .gateway = {}, .name_servers = {}}, "-", "-", {"match", "addresses"}},
      {{.address = "::1/128", .gateway = {}, .name_servers = {"::2"}}, "-", "-", {"match", "addresses", "nameservers"}},
  };
  for (const auto& one : cases) {
    auto guest = some_guest();
    guest.macs.emplace_back("52:54:00:00:00:02");
    guest.fixed = one.fixed;
    const auto root = parsed(network_config(guest));
    ASSERT_NE(root.find("ethernets"), nullptr);
    const auto& first = *root.find("ethernets")->find("net0");
    EXPECT_EQ(keys_of(first), one.keys);
    EXPECT_EQ(at(first, "addresses.0"), one.fixed.address);
    EXPECT_EQ(at(first, "addresses.1"), "-");
    EXPECT_EQ(at(first, "routes.0.to"), one.to);
    EXPECT_EQ(at(first, "routes.0.via"), one.via);
    for (std::size_t i = 0; i < one.fixed.name_servers.size(); ++i)
      EXPECT_EQ(at(first, "nameservers.addresses." + std::to_string(i)), one.fixed.name_servers[i]);
    EXPECT_EQ(at(root, "ethernets.net1.match.macaddress"), "52:54:00:00:00:02");
    EXPECT_EQ(at(root, "ethernets.net1.dhcp4"), "true");
    EXPECT_EQ(at(root, "ethernets.net1.addresses"), "-");
  }
}

TEST(NetworkConfig, KnowsManyInterfacesAndNone) {
  auto guest = some_guest();
  guest.macs.clear();
  for (int i = 0; i < 12; ++i)
    guest.macs.push_back("52:54:00:00:01:" + base::hex(std::string(1, static_cast<char>(i))));
  const auto root = parsed(network_config(guest));
  ASSERT_EQ(root.find("ethernets")->entries.size(), 12U);
  for (std::size_t i = 0; i < 12; ++i)
    EXPECT_EQ(at(root, "ethernets.net" + std::to_string(i) + ".match.macaddress"), guest.macs[i]);
  guest.macs.clear();
  guest.fixed = StaticAddress{.address = "192.0.2.11/24", .gateway = {}, .name_servers = {}};
  // cloud-init goes through it as a mapping.
  const auto none = parsed(network_config(guest));
  ASSERT_NE(none.find("ethernets"), nullptr);
  EXPECT_TRUE(none.find("ethernets")->is_mapping());
  EXPECT_TRUE(none.find("ethernets")->entries.empty());
}

}  // namespace
}  // namespace muster::clone
