#include "parallel-ssh/target_resolution.h"

#include <map>

#include <gtest/gtest.h>

#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

using inventory::ConnectionFacts;
using std::chrono::seconds;

struct Resolution : testing::Test {
  ConnectOptions options;
  std::map<std::string, ConnectionFacts> hosts;  // of the inventory
  std::string config_text;

  Resolution() {
    options.home = "/home/me";
    options.local_user = "me";
    options.agent_socket = "/agent";
  }
  static ConnectionFacts named(const std::string& name) {
    ConnectionFacts facts;
    facts.name = name;
    return facts;
  }
  Target resolve(const ConnectionFacts& facts) const {
    const auto config =
        SshConfig::parse({}, config_text, "config",
                         {.home = "/home/me", .user = "me", .host_name = "here", .uid = 1000, .environment = {}});
    const TargetResolution resolution(options, config, [this](const std::string& name) {
      const auto found = hosts.find(name);
      return found == hosts.end() ? std::nullopt : std::optional(found->second);
    });
    return resolution.resolve(facts);
  }
  Target resolve(const std::string& name = "web1") const { return resolve(named(name)); }
  // `user@address:port` of each jump host.
  static std::string way(const Target& target) {
    std::string text;
    for (const auto& jump : target.jumps) {
      EXPECT_TRUE(jump.jumps.empty());
      text +=
          (text.empty() ? "" : " ") + jump.session.user + "@" + jump.address + ":" + std::to_string(jump.session.port);
    }
    return text;
  }
};

TEST_F(Resolution, DefaultsWhereNothingIsSaid) {
  const auto target = resolve();
  EXPECT_EQ(target.name, "web1");
  EXPECT_EQ(target.address, "web1");
  EXPECT_EQ(target.session.port, 22);
  EXPECT_EQ(target.session.user, "me");
  EXPECT_EQ(target.connect_timeout, seconds(10));
  EXPECT_EQ(inventory::joined(target.identity_files),
            "/home/me/.ssh/id_ed25519 /home/me/.ssh/id_ecdsa /home/me/.ssh/id_rsa");
  EXPECT_FALSE(target.only_these_identities);
  EXPECT_EQ(target.agent_socket, "/agent");
  EXPECT_EQ(target.password, std::nullopt);
  EXPECT_EQ(target.host_key_name, "web1");
  EXPECT_EQ(target.host_key_port, 22);
  EXPECT_EQ(target.host_key_mode, HostKeyMode::strict);
  EXPECT_EQ(inventory::joined(target.known_hosts_files),
            "/home/me/.ssh/known_hosts /home/me/.ssh/known_hosts2 /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2");
  EXPECT_TRUE(target.jumps.empty());
  EXPECT_FALSE(target.become.enabled);
  EXPECT_EQ(target.transport, Transport::libssh);
  EXPECT_FALSE(target.transport_fixed);
  EXPECT_EQ(target.refusal, "");
  EXPECT_EQ(target.route(), "web1:22");
}

TEST_F(Resolution, UserAndPortFromOptionsThenInventoryThenConfig) {
  config_text = "Host *\n  User config\n  Port 3\n";
  auto facts = named("web1");
  EXPECT_EQ(resolve(facts).session.user, "config");
  EXPECT_EQ(resolve(facts).session.port, 3);
  facts.user = "inventory";
  facts.port = 2;
  EXPECT_EQ(resolve(facts).session.user, "inventory");
  EXPECT_EQ(resolve(facts).session.port, 2);
  options.user = "option";
  options.port = 1;
  EXPECT_EQ(resolve(facts).session.user, "option");
  EXPECT_EQ(resolve(facts).session.port, 1);
  EXPECT_EQ(resolve(facts).host_key_port, 1);
}

TEST_F(Resolution, TimeoutFromOptionsThenConfig) {
  config_text = "ConnectTimeout 7\n";
  EXPECT_EQ(resolve().connect_timeout, seconds(7));
  options.connect_timeout = seconds(3);
  EXPECT_EQ(resolve().connect_timeout, seconds(3));
}

TEST_F(Resolution, IdentitiesFromOptionsThenInventoryThenConfig) {
  config_text = "IdentityFile ~/config\nIdentityFile /second\n";
  auto facts = named("web1");
  EXPECT_EQ(inventory::joined(resolve(facts).identity_files), "/home/me/config /second");
  EXPECT_FALSE(resolve(facts).only_these_identities);
  facts.identity_file = "~/inventory";
  EXPECT_EQ(inventory::joined(resolve(facts).identity_files), "/home/me/inventory");
  EXPECT_TRUE(resolve(facts).only_these_identities);
  options.key_files = {"~/option", "relative"};
  EXPECT_EQ(inventory::joined(resolve(facts).identity_files), "/home/me/option relative");
  EXPECT_TRUE(resolve(facts).only_these_identities);
}

TEST_F(Resolution, ConfigAboutIdentitiesAndTheAgent) {
  config_text = "IdentitiesOnly yes\nIdentityFile none\nIdentityAgent none\n";
  EXPECT_TRUE(resolve().only_these_identities);
  EXPECT_TRUE(resolve().identity_files.empty());
  EXPECT_EQ(resolve().agent_socket, "");
  config_text = "IdentityAgent /other\n";
  EXPECT_EQ(resolve().agent_socket, "/other");
}

TEST_F(Resolution, PasswordFromOptionsThenInventory) {
  auto facts = named("web1");
  facts.password = "inventory";
  EXPECT_EQ(resolve(facts).password, "inventory");
  options.password = "option";
  EXPECT_EQ(resolve(facts).password, "option");
}

TEST_F(Resolution, HostKeyModeFromOptionsThenConfigAndNoIsAcceptNew) {
  const std::map<std::string, HostKeyMode> modes{{"yes", HostKeyMode::strict},
                                                 {"ask", HostKeyMode::strict},
                                                 {"accept-new", HostKeyMode::accept_new},
                                                 {"no", HostKeyMode::accept_new}};
  for (const auto& [word, mode] : modes) {
    config_text = "StrictHostKeyChecking " + word + "\n";
    EXPECT_EQ(resolve().host_key_mode, mode) << word;
  }
  options.host_key_mode = HostKeyMode::none;
  EXPECT_EQ(resolve().host_key_mode, HostKeyMode::none);
}

TEST_F(Resolution, KnownHostsFromOptionsThenConfig) {
  config_text = "UserKnownHostsFile ~/a /b\nGlobalKnownHostsFile none\nHostKeyAlias Alias\nPort 2222\n";
  auto facts = named("web1");
  facts.host_keys = {"pin"};
  auto target = resolve(facts);
  EXPECT_EQ(inventory::joined(target.known_hosts_files), "/home/me/a /b");
  EXPECT_EQ(target.host_key_name, "alias");
  EXPECT_EQ(target.host_key_port, 22);  // an alias stands without port
  EXPECT_EQ(inventory::joined(target.pinned_host_keys), "pin");
  options.known_hosts_files = {"~/option"};
  EXPECT_EQ(inventory::joined(resolve().known_hosts_files), "/home/me/option");
}

TEST_F(Resolution, ConfigIsLookedUpByAddressAndByName) {
  config_text = "Host web1\n  User byname\n  HostName elsewhere\nHost 10.0.0.1\n  Port 77\n";
  auto facts = named("web1");
  facts.address = "10.0.0.1";
  const auto target = resolve(facts);
  EXPECT_EQ(target.address, "10.0.0.1");  // the inventory's, although a Host line of the name has another
  EXPECT_EQ(target.session.user, "byname");
  EXPECT_EQ(target.session.port, 77);
  EXPECT_EQ(target.session.host, "10.0.0.1");
  EXPECT_EQ(resolve("web1").address, "elsewhere");
}

TEST_F(Resolution, AlgorithmsAndTheRestOfConfigArePassedOn) {
  config_text =
      "KexAlgorithms curve25519-sha256\nCiphers aes128-ctr\nMACs hmac-sha2-256\nHostKeyAlgorithms ssh-ed25519\n"
      "PubkeyAcceptedAlgorithms ssh-ed25519\nCompression yes\nAddressFamily inet6\nBindAddress 10.0.0.9\n";
  const auto target = resolve();
  EXPECT_EQ(target.session.key_exchange, "curve25519-sha256");
  EXPECT_EQ(target.session.ciphers, "aes128-ctr");
  EXPECT_EQ(target.session.macs, "hmac-sha2-256");
  EXPECT_EQ(target.session.host_key_algorithms, "ssh-ed25519");
  EXPECT_EQ(target.session.public_key_algorithms, "ssh-ed25519");
  EXPECT_TRUE(target.session.compression);
  EXPECT_EQ(target.family, AddressFamily::inet6);
  EXPECT_EQ(target.bind_address, "10.0.0.9");
}

TEST_F(Resolution, BecomeComesFromTheInventory) {
  auto facts = named("web1");
  facts.become = {.enabled = true, .user = {}, .password = "p", .method = {}};
  EXPECT_TRUE(resolve(facts).become.enabled);
  EXPECT_EQ(resolve(facts).become.user, "root");
  EXPECT_EQ(resolve(facts).become.password, "p");
  facts.become.user = "web";
  EXPECT_EQ(resolve(facts).become.user, "web");
  facts.become.method = "su";
  EXPECT_EQ(resolve(facts).refusal, "ansible_become_method 'su': only sudo can be done");
  facts.become.enabled = false;
  EXPECT_EQ(resolve(facts).refusal, "");
}

TEST_F(Resolution, JumpHostsAreGoneThroughInOrderWithTheirOwnSettings) {
  config_text = "Host bastion\n  HostName 10.1.1.1\n  Port 2222\n  User jumper\n  IdentityFile /jump\n";
  options.user = "option";
  options.port = 9;
  auto facts = named("web1");
  facts.proxy_jump = "bastion,root@[fe80::1]:23,ssh://plain:24";
  const auto target = resolve(facts);
  EXPECT_EQ(way(target), "jumper@10.1.1.1:2222 root@fe80::1:23 me@plain:24");
  EXPECT_EQ(inventory::joined(target.jumps[0].identity_files), "/jump");
  EXPECT_EQ(target.session.user, "option");  // --user is about the host, not about the way
  EXPECT_EQ(target.route(), "10.1.1.1:2222>fe80::1:23>plain:24>web1:9");
}

TEST_F(Resolution, JumpFromInventoryThenConfigAndNoneIsNone) {
  config_text = "Host web*\n  ProxyJump configured\n";
  EXPECT_EQ(way(resolve()), "me@configured:22");
  auto facts = named("web1");
  facts.proxy_jump = "other";
  EXPECT_EQ(way(resolve(facts)), "me@other:22");
  facts.proxy_jump = "none";
  EXPECT_EQ(way(resolve(facts)), "");
}

TEST_F(Resolution, AJumpHostMayBeAnInventoryHostWithAJumpHostOfItsOwn) {
  auto gate = named("gate"), inner = named("inner");
  gate.address = "10.2.2.2";
  gate.user = "g";
  inner.port = 2200;
  inner.proxy_jump = "gate";
  inner.become = {.enabled = true, .user = {}, .password = {}, .method = "su"};
  hosts = {{"gate", gate}, {"inner", inner}};
  auto facts = named("web1");
  facts.proxy_jump = "other@inner";
  const auto target = resolve(facts);
  EXPECT_EQ(way(target), "g@10.2.2.2:22 other@inner:2200");
  EXPECT_EQ(target.refusal, "");
  EXPECT_EQ(target.jumps[1].refusal, "");  // nothing is run there
}

TEST_F(Resolution, AJumpHostThatNeedsMoreThanLibsshTakesItsTargetsAlong) {
  config_text = "Host web1\n  ProxyJump bastion\nHost bastion\n  ProxyCommand nc %h %p\n";
  const auto target = resolve(named("web1"));
  EXPECT_EQ(target.transport, Transport::openssh);
  EXPECT_EQ(target.transport_reason, "ProxyCommand (jump host bastion)");
}

TEST_F(Resolution, JumpHostsInACircleAreRefused) {
  auto facts = named("web1");
  facts.proxy_jump = "a";
  auto a = named("a"), b = named("b");
  a.proxy_jump = "b";
  b.proxy_jump = "a";
  hosts = {{"a", a}, {"b", b}};
  const auto failure = failure_of([&] { resolve(facts); });
  EXPECT_TRUE(failure.is(Code::usage, "go in a circle")) << failure;
}

TEST_F(Resolution, WhatLibsshLacksGoesThroughOpensshByName) {
  config_text = "ForwardAgent yes\nProxyCommand nc %h %p\nCertificateFile /cert\n";
  auto facts = named("web1");
  facts.ssh_args = {"-v"};
  auto target = resolve(facts);
  EXPECT_EQ(target.transport, Transport::openssh);
  for (const auto* reason : {"ForwardAgent", "ProxyCommand", "CertificateFile", "ansible_ssh_args -v"})
    EXPECT_NE(target.transport_reason.find(reason), std::string::npos) << target.transport_reason;
  EXPECT_EQ(inventory::joined(target.openssh_args), "-v -o ProxyCommand=nc web1 22 -o CertificateFile=\"/cert\"");
  EXPECT_EQ(target.refusal, "");
  EXPECT_FALSE(target.transport_fixed);
  options.transport = Transport::libssh;
  target = resolve(facts);
  EXPECT_EQ(target.transport, Transport::libssh);
  EXPECT_TRUE(target.transport_fixed);
  EXPECT_NE(target.refusal.find("leave out --transport libssh"), std::string::npos) << target.refusal;
}

TEST_F(Resolution, OpensshMayBeAskedFor) {
  options.transport = Transport::openssh;
  options.ssh_config_file = "/config";
  const auto target = resolve();
  EXPECT_EQ(target.transport, Transport::openssh);
  EXPECT_EQ(target.transport_reason, "");
  EXPECT_EQ(target.ssh_config_file, "/config");
  EXPECT_EQ(target.ssh_config_host, "web1");
  EXPECT_EQ(target.refusal, "");
}

TEST_F(Resolution, WhatCannotBeDoneIsARefusalOfTheHost) {
  auto facts = named("web1");
  facts.connection = "docker";
  EXPECT_EQ(resolve(facts).refusal, "ansible_connection 'docker' is not ssh");
  facts = named("web1");
  facts.password = "p";
  options.transport = Transport::openssh;
  EXPECT_EQ(resolve(facts).refusal, "OpenSSH's client takes no password from us: use a key");
}

}  // namespace
}  // namespace muster::ssh
