// Host keys in what a guest tells on its console, or has in files: only whole blocks, only what is shaped like a key.
#include "vm/guest_host_keys.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/parallel-ssh/support.h"

namespace muster::vm {
namespace {

using Keys = std::vector<std::string>;

const std::string kBegin = "-----BEGIN SSH HOST KEY KEYS-----";
const std::string kEnd = "-----END SSH HOST KEY KEYS-----";

std::string key(int number) { return ssh::key_line(number); }
Keys sorted(Keys keys) {
  std::sort(keys.begin(), keys.end());
  return keys;
}
std::string block(const Keys& keys, const std::string& line_end = "\n") {
  std::string text = kBegin + line_end;
  for (const auto& one : keys) text += one + " root@web01" + line_end;
  return text + kEnd + line_end;
}

TEST(HostKeysOnConsole, AreThoseOfTheLastWholeBlock) {
  const std::string boot = "[    1.0] booting\nci-info: +++++\n";
  struct {
    const char* what;
    std::string text;
    Keys expected;
  } const cases[] = {
      {"nothing", "", {}},
      {"no block", boot + key(1) + "\n", {}},
      {"one block", boot + block({key(2), key(1)}) + "web01 login: ", sorted({key(1), key(2)})},
      {"lines end as on a terminal", block({key(1), key(2)}, "\r\n"), sorted({key(1), key(2)})},
      {"two boots", block({key(1)}) + boot + block({key(2)}), {key(2)}},
      {"the second is cut off", block({key(1)}) + boot + kBegin + "\n" + key(2) + "\n", {key(1)}},
      {"the second begins anew", kBegin + "\n" + key(1) + "\n" + block({key(2)}), {key(2)}},
      {"the beginning is lost", key(1) + "\n" + kEnd + "\n", {}},
      {"the end is lost", kBegin + "\n" + key(1) + "\n" + kEnd.substr(0, 20), {}},
      {"an end before a beginning", kEnd + "\n" + key(1) + "\n" + kBegin + "\n", {}},
      {"an empty block", block({}), {}},
      {"an empty block after a full one", block({key(1)}) + block({}), {}},
      {"a kernel's line between", kBegin + "\n" + key(1) + "\n[  9.9] eth0: up\n" + key(2) + "\n" + kEnd,
       sorted({key(1), key(2)})},
      {"a prefix of the marks", "cloud-init[99]: " + block({key(1)}), {key(1)}},
      {"a null byte between", kBegin + "\n" + std::string(3, '\0') + "\n" + key(1) + "\n" + kEnd, {key(1)}},
  };
  for (const auto& one : cases) EXPECT_EQ(host_keys_on_console(one.text), one.expected) << one.what;
}

TEST(HostKeys, AreLinesOfATypeAndItsKey) {
  const std::string rsa_in_ed25519 = "ssh-rsa " + key(1).substr(std::string("ssh-ed25519 ").size());
  struct {
    const char* what;
    std::string text;
    Keys expected;
  } const cases[] = {
      {"without what follows", key(1) + " a comment\n", {key(1)}},
      {"without a last newline", key(1), {key(1)}},
      {"blanks around", " \t" + key(1) + "\t \n", {key(1)}},
      {"sorted, and each once", key(2) + "\n" + key(1) + "\n" + key(2) + "\n", sorted({key(1), key(2)})},
      {"no key of its type", rsa_in_ed25519 + "\n", {}},
      {"no base64", "ssh-ed25519 AAAA!\n", {}},
      {"cut off in base64", key(1).substr(0, key(1).size() - 1) + "\n", {}},
      {"a type alone", "ssh-ed25519\n", {}},
      {"options before", "cert-authority " + key(1) + "\n", {}},
      {"a private key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", {}},
      {"a line without end", std::string(1U << 20, 'a') + "\n" + key(1), {key(1)}},
      {"a comment without end", key(1) + " " + std::string(1U << 20, 'a'), {}},
      {"garbage", "\xff\xfe\n\n\r\n \n" + key(1) + "\n", {key(1)}},
  };
  for (const auto& one : cases) EXPECT_EQ(host_keys_in(one.text), one.expected) << one.what;
}

TEST(HostKeys, AreNotMoreThanTheLimit) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += key(i) + "\n";
  const auto keys = host_keys_in(text);
  EXPECT_EQ(keys.size(), kMaxHostKeys);
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  Keys many;
  for (int i = 0; i < 1000; ++i) many.push_back(key(i));
  EXPECT_EQ(host_keys_on_console(block(many)).size(), kMaxHostKeys);
}

TEST(HostKeys, OfRealToolsAreKnown) {
  const inventory::FileTree tree;
  std::string files;
  Keys expected;
  for (const std::string type : {"ed25519", "ecdsa", "rsa"}) {
    ssh::make_key(tree.path(type), type, {}, type == "rsa" ? Keys{"-b", "2048"} : Keys{});
    const std::string line = base::read_file(tree.path(type + ".pub"), 1U << 20);
    files += line;
    expected.push_back(line.substr(0, line.rfind(" comment")));
  }
  EXPECT_EQ(host_keys_in(files), sorted(expected));
}

}  // namespace
}  // namespace muster::vm
