// Ways in: keys, agents, jump hosts, sudo, OpenSSH's client where it is needed, one host's shell.
#include <sys/stat.h>

#include "tests/e2e/end_to_end.h"
#include "tests/e2e/private_user.h"
#include "tests/e2e/pty_process.h"

namespace muster::e2e {
namespace {

using Login = EndToEnd;

TEST_F(Login, KeyFromAFile) {
  const SshServer server(accepting_key());
  use({host(server, "web01")});
  const auto done = muster({"run", "all", "--", "echo", "hello"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(done.out, "web01: hello\n");
}

TEST_F(Login, EveryCommonKeyTypeWorks) {
  for (const std::string type : {"ed25519", "ecdsa", "rsa"}) {
    const auto other = make_key(file("id_" + type), "", type);
    const SshServer server({.authorized_keys = {other.public_line}});
    use({host(server, "web01").set("identity_file", other.file)});
    const auto done = muster({"run", "all", "--", "true"});
    EXPECT_EQ(done.code, 0) << type << '\n' << told(done);
  }
}

TEST_F(Login, KeyFromTheCommandLineWinsOverTheInventory) {
  const SshServer server(accepting_key());
  use({host(server, "web01").set("identity_file", file("no-such-key"))});
  const auto done = muster({"run", "all", "--key", key().file, "--", "echo", "hello"});
  EXPECT_EQ(done.out, "web01: hello\n") << told(done);
}

TEST_F(Login, MissingKeyFileIsNamed) {
  const SshServer server(accepting_key());
  use({host(server, "web01").set("identity_file", file("no-such-key"))});
  const auto done = muster({"run", "all", "--", "true"});
  EXPECT_NE(done.code, 0);
  EXPECT_TRUE(contains(done.err, "no-such-key")) << told(done);
}

TEST_F(Login, KeyFromAnAgent) {
  const auto held = make_key(file("held"));
  const SshServer server({.authorized_keys = {held.public_line}});
  SshAgent agent;
  agent.add(held);
  use({host(server, "web01").unset("identity_file")});
  add_environment(agent.environment());
  const auto done = muster({"run", "all", "--", "echo", "hello"});
  EXPECT_EQ(done.out, "web01: hello\n") << told(done);
}

TEST_F(Login, EncryptedKeyThroughItsAgent) {
  const auto locked = make_key(file("locked"), "a passphrase");
  const SshServer server({.authorized_keys = {locked.public_line}});
  SshAgent agent;
  agent.add(locked, "a passphrase");
  use({host(server, "web01").set("identity_file", locked.file)});
  add_environment(agent.environment());
  const auto done = muster({"run", "all", "--", "echo", "hello"});
  EXPECT_EQ(done.out, "web01: hello\n") << told(done);
}

TEST_F(Login, EncryptedKeyWithoutAnAgentSaysWhatToDo) {
  const auto locked = make_key(file("locked"), "a passphrase");
  const SshServer server({.authorized_keys = {locked.public_line}});
  use({host(server, "web01").set("identity_file", locked.file)});
  const auto done = muster({"run", "all", "--", "true"});
  EXPECT_NE(done.code, 0);
  EXPECT_TRUE(contains(done.err, "agent")) << told(done);
}

TEST_F(Login, AgentWithManyKeysDoesNotExhaustTheServersPatience) {
  SshAgent agent;
  for (int i = 0; i < 8; ++i) agent.add(make_key(file("other" + std::to_string(i))));
  const auto right = make_key(file("right"));
  agent.add(right);
  const SshServer server({.authorized_keys = {right.public_line}, .config = {"MaxAuthTries 3"}});
  // The public half in a file is enough to choose among the agent's.
  use({host(server, "web01").set("identity_file", right.file)});
  add_environment(agent.environment());
  const auto done = muster({"run", "all", "--", "echo", "hello"});
  EXPECT_EQ(done.out, "web01: hello\n") << told(done);
}

TEST_F(Login, RefusedKeyIsUnreachableWithItsReason) {
  const SshServer server(SshServer::Options{});
  use({host(server, "web01")});
  const auto done = muster({"run", "all", "--json", "--", "true"});
  EXPECT_EQ(done.code, 15) << told(done);
  const auto lines = json_lines(done.out);
  EXPECT_EQ(result_of(lines, "web01").value("state", ""), "unreachable");
  EXPECT_TRUE(contains(done.err + done.out, "web01"));
  EXPECT_TRUE(contains(done.err + done.out, "key")) << told(done);
}

TEST_F(Login, RefusedByOneIsPartOfIt) {
  const SshServer good(accepting_key());
  const SshServer bad(SshServer::Options{});
  use({host(good, "web01"), host(bad, "web02")});
  const auto done = muster({"run", "all", "--", "echo", "hello"});
  EXPECT_EQ(done.code, 3) << told(done);
  EXPECT_EQ(done.out, "web01: hello\n");
  EXPECT_TRUE(contains(done.err, "web02"));
}

TEST_F(Login, JumpHostFromTheInventory) {
  const SshServer jump(accepting_key());
  const SshServer target(accepting_key());
  use({host(jump, "bastion"), host(target, "web01").set("proxy_jump", "bastion")});
  const auto done = muster({"run", "web01", "--", "echo", "$SSH_CONNECTION"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(jump.logged("Accepted publickey"), 1U) << jump.log();
  EXPECT_EQ(target.logged("Accepted publickey"), 1U);
}

TEST_F(Login, JumpHostByAddressFromTheInventory) {
  const SshServer jump(accepting_key());
  const SshServer target(accepting_key());
  write(home() + "/.ssh/known_hosts", jump.known_hosts_line());
  const auto& at = jump.endpoint();
  use({host(target, "web01").set("proxy_jump", current_user() + '@' + at.address + ':' + std::to_string(at.port))});
  const auto done = muster({"run", "web01", "--key", key().file, "--", "echo", "hello"});
  EXPECT_EQ(done.out, "web01: hello\n") << told(done);
  EXPECT_EQ(jump.logged("Accepted publickey"), 1U) << jump.log();
}

TEST_F(Login, TwoHopsFromSshConfig) {
  const SshServer first(accepting_key()), second(accepting_key()), target(accepting_key());
  const auto entry = [&](const std::string& name, const SshServer& server, const std::string& more) {
    return "Host " + name + "\n  HostName " + server.endpoint().address + "\n  Port " +
           std::to_string(server.endpoint().port) + "\n  IdentityFile " + key().file + "\n" + more;
  };
  write(home() + "/.ssh/known_hosts", first.known_hosts_line() + second.known_hosts_line() + target.known_hosts_line());
  write(home() + "/.ssh/config", entry("hop1", first, "") + entry("hop2", second, "  ProxyJump hop1\n") +
                                     entry("web01", target, "  ProxyJump hop2\n"));
  use({Host{.name = "web01"}.set("user", current_user())});
  const auto done = muster({"run", "all", "--", "echo", "hello"});
  EXPECT_EQ(done.out, "web01: hello\n") << told(done);
  for (const auto* server : {&first, &second, &target}) EXPECT_EQ(server->logged("Accepted publickey"), 1U);
}

TEST_F(Login, TargetsBehindAJumpHostShareOneSessionWithIt) {
  const SshServer jump(accepting_key());
  const SshServer target(accepting_key());
  std::vector<Host> hosts = {host(jump, "bastion")};
  for (int i = 10; i < 30; ++i) hosts.push_back(host(target, "web" + std::to_string(i)).set("proxy_jump", "bastion"));
  use(hosts);
  const auto done = muster({"run", "all:!bastion", "--fanout", "20", "--", "true"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(target.logged("Accepted publickey"), 20U);
  EXPECT_EQ(jump.logged("Accepted publickey"), 1U);
}

TEST_F(Login, OneUsersTargetsDoNotTravelOnAnothersSession) {
  const SshServer jump(accepting_key()), target(accepting_key());
  use({host(jump, "bastion"), host(target, "web01").set("proxy_jump", "bastion"),
       host(target, "web02").set("proxy_jump", "nosuchuser@bastion"),
       host(target, "web03").set("proxy_jump", "bastion")});
  const auto done = muster({"run", "web*", "--fanout", "1", "--json", "--", "echo", "hello"});
  const auto lines = json_lines(done.out);
  for (const std::string name : {"web01", "web03"}) EXPECT_EQ(result_of(lines, name).value("state", ""), "ok");
  EXPECT_EQ(result_of(lines, "web02").value("state", ""), "unreachable") << told(done);
  EXPECT_TRUE(contains(result_of(lines, "web02").value("error", ""), "nosuchuser")) << told(done);
}

TEST_F(Login, JumpHostThatForbidsForwardingIsNamed) {
  const SshServer jump(accepting_key({"AllowTcpForwarding no"}));
  const SshServer target(accepting_key());
  use({host(jump, "bastion"), host(target, "web01").set("proxy_jump", "bastion")});
  const auto done = muster({"run", "web01", "--", "true"});
  EXPECT_EQ(done.code, 15) << told(done);
  EXPECT_TRUE(contains(done.err, "bastion")) << told(done);
}

TEST_F(Login, SudoWithoutAPassword) {
  if (!is_root()) GTEST_SKIP() << "root's own sudo is the only one that needs no rule";
  const SshServer server(accepting_key());
  use({host(server, "web01")});
  const auto done = muster({"run", "all", "--sudo", "--", "echo $SUDO_USER; id -un"});
  EXPECT_EQ(done.out, "web01: root\nweb01: root\n") << told(done);
}

class SudoWithAPassword : public EndToEnd {
 protected:
  void SetUp() override {
    if (!is_root()) GTEST_SKIP() << "a mount namespace with a user of its own needs root";
  }
};

TEST_F(SudoWithAPassword, IsAskedOnceForAllHostsAndNeverShown) {
  const PrivateUser user("correct horse");
  auto options = accepting_key();
  options.in_namespace = user.in_namespace();
  const SshServer server(options);
  use({host(server, "web01").set("user", PrivateUser::kName), host(server, "web02").set("user", PrivateUser::kName)});
  PtyProcess process(command({"run", "all", "--sudo", "--ask-sudo-pass", "--", "id", "-un"}));
  ASSERT_TRUE(process.wait_for("assword")) << process.screen();
  process.write("correct horse\n");
  const auto done = process.finish();
  EXPECT_EQ(done.code, 0) << told(done) << server.log();
  EXPECT_TRUE(contains(done.out, "web01: root")) << told(done);
  EXPECT_TRUE(contains(done.out, "web02: root"));
  EXPECT_FALSE(contains(done.out, "correct horse"));
}

TEST_F(SudoWithAPassword, WrongOneFailsTheHost) {
  const PrivateUser user("correct horse");
  auto options = accepting_key();
  options.in_namespace = user.in_namespace();
  const SshServer server(options);
  use({host(server, "web01").set("user", PrivateUser::kName)});
  PtyProcess process(command({"run", "all", "--sudo", "--ask-sudo-pass", "--", "id", "-un"}));
  ASSERT_TRUE(process.wait_for("assword")) << process.screen();
  process.write("battery staple\n");
  const auto done = process.finish();
  EXPECT_EQ(done.code, 1) << told(done);
  EXPECT_FALSE(contains(done.out, "battery staple"));
}

TEST_F(SudoWithAPassword, MissingOneDoesNotHang) {
  const PrivateUser user("correct horse");
  auto options = accepting_key();
  options.in_namespace = user.in_namespace();
  const SshServer server(options);
  use({host(server, "web01").set("user", PrivateUser::kName)});
  const auto done = muster({"run", "all", "--sudo", "--", "id", "-un"});
  EXPECT_EQ(done.code, 1) << told(done);
  EXPECT_LT(done.took.count(), 20'000);
}

TEST_F(Login, HostWithProxyCommandGoesThroughOpensshAndSaysSo) {
  const SshServer server(accepting_key());
  write(home() + "/.ssh/config", "Host web01\n  ProxyCommand socat - TCP:%h:%p\n");
  write(home() + "/.ssh/known_hosts", server.known_hosts_line());
  use({host(server, "web01")});
  const auto done = muster({"run", "all", "--transport", "auto", "--", "echo", "hello; exit 4"});
  EXPECT_EQ(done.code, 1) << told(done);
  EXPECT_EQ(done.out, "web01: hello\n");
  EXPECT_TRUE(contains(done.err, "web01") && contains(done.err, "ProxyCommand")) << told(done);
}

TEST_F(Login, OpensshCanBeAskedFor) {
  const SshServer server(accepting_key());
  write(home() + "/.ssh/known_hosts", server.known_hosts_line());
  use({host(server, "web01")});
  const auto done = muster({"run", "all", "--transport", "openssh", "--", "echo", "hello"});
  EXPECT_EQ(done.out, "web01: hello\n") << told(done) << server.log();
}

TEST_F(Login, SshHandsOnTheRemoteExitStatus) {
  const SshServer server(accepting_key());
  use({host(server, "web01")});
  const auto done = muster({"ssh", "web01", "echo out; echo err >&2; exit 42"});
  EXPECT_EQ(done.code, 42) << told(done);
  EXPECT_EQ(done.out, "out\n");
  EXPECT_TRUE(contains(done.err, "err\n"));
}

TEST_F(Login, SshOpensAShellOnATerminal) {
  const SshServer server(accepting_key());
  use({host(server, "web01")});
  PtyProcess shell(command({"ssh", "web01"}));
  shell.write("echo $((20 + 22)); test -t 0 && echo on-a-$((1))-terminal; exit 6\n");
  const auto done = shell.finish();
  EXPECT_EQ(done.code, 6) << told(done) << server.log();
  EXPECT_TRUE(contains(done.out, "42") && contains(done.out, "on-a-1-terminal")) << told(done);
}

TEST_F(Login, PingSaysWhoAnswersAndWhoDoesNot) {
  const SshServer server(accepting_key());
  const auto closed = Endpoint{.address = server.endpoint().address, .port = free_port(server.endpoint().address)};
  use({host(server, "web01"), host(closed, "web02")});
  const auto done = muster({"ping", "all"});
  EXPECT_EQ(done.code, 3) << told(done);
  EXPECT_TRUE(contains(done.out, "web01")) << told(done);
  EXPECT_TRUE(contains(done.err + done.out, "web02"));
  EXPECT_TRUE(contains(done.err + done.out, "refused")) << told(done);
}

}  // namespace
}  // namespace muster::e2e
