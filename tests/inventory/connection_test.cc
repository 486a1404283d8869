#include "inventory/connection.h"

#include <gtest/gtest.h>

#include "tests/inventory/support.h"

namespace muster::inventory {
namespace {

using Words = std::vector<std::string>;

ConnectionFacts facts(const std::string& variables, Dialect dialect = Dialect::muster) {
  return connection_facts(from_text("all:\n  hosts:\n    h: {" + variables + "}\n", dialect), 0);
}

std::string error_in(const std::string& variables) {
  return usage_error([&] { facts(variables); });
}

TEST(Connection, NothingSaidIsNothingKnown) {
  const ConnectionFacts found = facts("");
  EXPECT_EQ(found.name, "h");
  EXPECT_FALSE(found.address || found.port || found.user || found.password || found.identity_file || found.proxy_jump);
  EXPECT_FALSE(found.connection || found.hypervisor || found.domain || found.become.enabled);
  EXPECT_TRUE(found.host_keys.empty() && found.ssh_args.empty());
}

TEST(Connection, ReadsAnsiblesVariables) {
  const ConnectionFacts found = facts(
      "ansible_host: 10.0.0.1, ansible_port: '2222', ansible_user: 1001, ansible_password: p w, "
      "ansible_ssh_private_key_file: ~/.ssh/k, ansible_connection: local, ansible_become: yes, ansible_become_user: "
      "root, "
      "ansible_become_pass: s, ansible_become_method: su");
  EXPECT_EQ(found.address, "10.0.0.1");
  EXPECT_EQ(found.port, 2222);
  EXPECT_EQ(found.user, "1001");
  EXPECT_EQ(found.password, "p w");
  EXPECT_EQ(found.identity_file, "~/.ssh/k");
  EXPECT_EQ(found.connection, "local");
  EXPECT_TRUE(found.become.enabled);
  EXPECT_EQ(found.become.user, "root");
  EXPECT_EQ(found.become.password, "s");
  EXPECT_EQ(found.become.method, "su");
  EXPECT_FALSE(facts("ansible_connection: ansible.builtin.ssh, ansible_become_method: sudo").connection);
}

TEST(Connection, OlderNameWinsOverTheNewerAsForAnsible) {
  EXPECT_EQ(facts("ansible_ssh_user: old, ansible_user: new").user, "old");
  EXPECT_EQ(facts("ansible_ssh_port: 1, ansible_port: 2").port, 1);
  EXPECT_EQ(facts("ansible_ssh_user: ~, ansible_user: new").user, "new");
}

TEST(Connection, ShortKeysWinExceptUnderStrict) {
  const std::string variables =
      "address: a, ansible_host: b, port: 1, ansible_port: 2, user: u, ansible_user: v, identity_file: i, "
      "ansible_ssh_private_key_file: k, hypervisor: 'qemu:///system', domain: d";
  const ConnectionFacts found = facts(variables);
  EXPECT_EQ(found.address, "a");
  EXPECT_EQ(found.port, 1);
  EXPECT_EQ(found.user, "u");
  EXPECT_EQ(found.identity_file, "i");
  EXPECT_EQ(found.hypervisor, "qemu:///system");
  EXPECT_EQ(found.domain, "d");
  const ConnectionFacts strict = facts(variables, Dialect::ansible_strict);
  EXPECT_EQ(strict.address, "b");
  EXPECT_EQ(strict.port, 2);
  EXPECT_EQ(strict.user, "v");
  EXPECT_EQ(strict.identity_file, "k");
  EXPECT_EQ(strict.domain, "d");
}

TEST(Connection, HostKeysAreOneOrAList) {
  EXPECT_EQ(facts("host_key: 'SHA256:abc'").host_keys, Words{"SHA256:abc"});
  EXPECT_EQ(facts("host_key: ['ssh-ed25519 AAAA', 'SHA256:x']").host_keys, (Words{"ssh-ed25519 AAAA", "SHA256:x"}));
}

TEST(Connection, JumpHostIsTakenOutOfSshArguments) {
  EXPECT_EQ(facts("ansible_ssh_common_args: '-J bastion -C'").proxy_jump, "bastion");
  EXPECT_EQ(facts("ansible_ssh_common_args: '-J bastion -C'").ssh_args, Words{"-C"});
  for (const char* args :
       {"-o ProxyJump=u@b:22", "-oProxyJump=u@b:22", "-Ju@b:22", "-o \"ProxyJump u@b:22\"", "-o 'proxyjump = u@b:22'"})
    EXPECT_EQ(facts("ansible_ssh_extra_args: !!str " + std::string(1, '"') +
                    [&] {
                      std::string escaped;
                      for (const char c : std::string(args)) escaped += c == '"' ? "\\\"" : std::string(1, c);
                      return escaped;
                    }() +
                    "\"")
                  .proxy_jump,
              "u@b:22")
        << args;
  const ConnectionFacts found = facts(
      "ansible_ssh_args: '-o ControlMaster=no', ansible_ssh_common_args: '-o ProxyJump=one -o X=\"a b\" -J two', "
      "proxy_jump: own");
  EXPECT_EQ(found.proxy_jump, "own");
  EXPECT_EQ(found.ssh_args, (Words{"-o", "ControlMaster=no", "-o", "X=a b"}));
  EXPECT_EQ(facts("ansible_ssh_common_args: '-J one -J two'").proxy_jump, "one");
  EXPECT_EQ(facts("ansible_ssh_common_args: '-o ProxyJumper=x'").ssh_args, (Words{"-o", "ProxyJumper=x"}));
}

TEST(Connection, WrongTypesAreErrorsThatSayWhere) {
  EXPECT_EQ(error_in("address: 5"), "i.yaml:3:18: address is 5, which is not text; write it in quotes");
  EXPECT_EQ(error_in("user: [a]"), "i.yaml:3:15: user is a list or mapping; write text");
  EXPECT_EQ(error_in("domain: ''"), "i.yaml:3:17: domain is empty; write a value or remove the key");
  EXPECT_EQ(error_in("port: ssh"), "i.yaml:3:15: port is 'ssh'; write a whole number between 1 and 65535");
  EXPECT_EQ(error_in("port: 0"), "i.yaml:3:15: port is '0'; write a whole number between 1 and 65535");
  EXPECT_EQ(error_in("port: 65536"), "i.yaml:3:15: port is '65536'; write a whole number between 1 and 65535");
  EXPECT_EQ(error_in("ansible_port: {}"),
            "i.yaml:3:23: ansible_port is a list or mapping; write a whole number between 1 and 65535");
  EXPECT_EQ(error_in("host_key: [1]"), "i.yaml:3:19: host_key is 1, which is not text; write it in quotes");
  EXPECT_EQ(error_in("ansible_become: maybe"),
            "i.yaml:3:25: ansible_become is neither true nor false; write one of them");
  EXPECT_EQ(error_in("ansible_ssh_common_args: \"-o 'x\""),
            "i.yaml:3:34: ansible_ssh_common_args has a quote that is not closed; close it");
  EXPECT_EQ(error_in("hypervisor: yes"), "no error");
  EXPECT_EQ(error_in("some_list: [1], other: 5"), "no error");
}

TEST(Connection, TemplatesAreRefused) {
  EXPECT_EQ(
      error_in("ansible_host: '{{ ip }}'"),
      "i.yaml:3:23: ansible_host contains a template, which is not evaluated here; write the value itself, or tag "
      "text that only looks like one with !unsafe");
  EXPECT_NE(error_in("ansible_port: '{{ p }}'"), "no error");
  EXPECT_NE(error_in("address: 'x{{ p }}'"), "no error");
  EXPECT_NE(error_in("ansible_ssh_common_args: '-J {{ b }}'"), "no error");
  EXPECT_EQ(facts("ansible_password: !unsafe '{{x'").password, "{{x");
  EXPECT_EQ(error_in("motd: '{{ anything }}'"), "no error");
}

}  // namespace
}  // namespace muster::inventory
