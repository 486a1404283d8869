// The harness against OpenSSH's own client: a test of muster means something only if its servers and misbehaving peers
// are what they claim to be.
#include <filesystem>

#include <signal.h>

#include "tests/e2e/bad_peer.h"
#include "tests/e2e/end_to_end.h"
#include "tests/e2e/private_user.h"
#include "tests/e2e/process_table.h"
#include "tests/e2e/pty_process.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

class Harness : public EndToEnd {
 protected:
  Launch ssh(const Endpoint& endpoint, const std::string& user, const std::string& what) const {
    return {.argv = {"ssh", "-F", "none", "-i", key().file, "-o", "StrictHostKeyChecking=no", "-o",
                     "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o",
                     "ConnectTimeout=2", "-p", std::to_string(endpoint.port), user + '@' + endpoint.address, what},
            .environment = {"HOME=" + home()}};
  }
  Finished run_ssh(const Endpoint& endpoint, const std::string& what = "echo hi") const {
    return run(ssh(endpoint, current_user(), what));
  }
};

TEST_F(Harness, ServerRunsACommandAndIsGoneAfterwards) {
  Endpoint endpoint;
  {
    const SshServer server(accepting_key());
    endpoint = server.endpoint();
    const auto done = run_ssh(endpoint, "echo hi; exit 7");
    EXPECT_EQ(done.code, 7) << told(done) << server.log();
    EXPECT_EQ(done.out, "hi\n");
    EXPECT_EQ(server.logged("Accepted publickey"), 1U);
  }
  EXPECT_FALSE(connect_to(endpoint));
}

TEST_F(Harness, ServerRefusesOtherKeys) {
  const SshServer server(SshServer::Options{});
  const auto done = run_ssh(server.endpoint());
  EXPECT_EQ(done.code, 255);
  EXPECT_TRUE(contains(done.err, "Permission denied")) << told(done);
}

TEST_F(Harness, HostKeyAndFingerprintAreTheServers) {
  const SshServer server(accepting_key());
  write(file("known_hosts"), server.known_hosts_line());
  auto launch = ssh(server.endpoint(), current_user(), "true");
  launch.argv[6] = "StrictHostKeyChecking=yes";
  launch.argv[8] = "UserKnownHostsFile=" + file("known_hosts");
  EXPECT_EQ(run(launch).code, 0);
  write(file("known_hosts"), server.known_hosts_line("@revoked "));
  const auto refused = run(launch);
  EXPECT_EQ(refused.code, 255);
  EXPECT_TRUE(contains(refused.err, server.fingerprint()) || contains(refused.err, "REVOKED")) << told(refused);
  EXPECT_EQ(server.fingerprint().size(), 7U + 43U);
}

TEST_F(Harness, KillHardEndsASessionInTheMiddle) {
  SshServer server(accepting_key());
  MusterProcess client(ssh(server.endpoint(), current_user(), "echo up; sleep 100"));
  ASSERT_TRUE(client.wait_for("up"));
  server.kill_hard();
  const auto done = client.finish();
  EXPECT_EQ(done.code, 255) << told(done);
  EXPECT_LT(done.took, 10s);
}

TEST_F(Harness, LeftoversOfASessionEndWithItsServer) {
  const std::string pid_file = file("pid");
  pid_t left = 0;
  {
    const SshServer server(accepting_key());
    run_ssh(server.endpoint(), "sleep 1000 >/dev/null 2>&1 & echo $! > " + pid_file);
    left = static_cast<pid_t>(std::stol(read(pid_file)));
    EXPECT_TRUE(is_running(left));
  }
  EXPECT_TRUE(wait_until([&] { return !is_running(left); }));
}

TEST_F(Harness, FrozenSessionsSayNothing) {
  const SshServer server(accepting_key());
  Launch launch = ssh(server.endpoint(), current_user(), "cat");
  launch.deadline = 2s;
  launch.input = std::string(8U << 20U, 'x');
  MusterProcess client(launch);
  ASSERT_TRUE(client.wait_for("x"));
  server.freeze_sessions();
  EXPECT_TRUE(client.finish().late);
}

TEST_F(Harness, PrivateUserHasAPasswordForSudo) {
  if (!is_root()) GTEST_SKIP() << "a mount namespace with a user of its own needs root";
  const PrivateUser user("secret word");
  auto options = accepting_key();
  options.in_namespace = user.in_namespace();
  const SshServer server(options);
  auto launch = ssh(server.endpoint(), PrivateUser::kName, "id -un; sudo -S -p '' id -un");
  launch.input = "secret word\n";
  const auto done = run(launch);
  EXPECT_EQ(done.out, std::string(PrivateUser::kName) + "\nroot\n") << told(done) << server.log();
  launch.input = "wrong\n";
  EXPECT_NE(run(launch).code, 0);
  EXPECT_FALSE(contains(read("/etc/passwd"), PrivateUser::kName));
}

TEST_F(Harness, AgentOpensAnEncryptedKey) {
  const auto locked = make_key(file("locked"), "a passphrase");
  const SshServer server({.authorized_keys = {locked.public_line}});
  SshAgent agent;
  auto launch = ssh(server.endpoint(), current_user(), "echo in");
  launch.environment.push_back(agent.environment());
  EXPECT_EQ(run(launch).code, 255);
  agent.add(locked, "a passphrase");
  EXPECT_EQ(run(launch).out, "in\n");
}

TEST_F(Harness, BlackHoleAnswersNothing) {
  const BlackHole hole;
  const auto done = run_ssh(hole.endpoint());
  EXPECT_EQ(done.code, 255);
  EXPECT_TRUE(contains(done.err, "timed out")) << told(done);
  EXPECT_GE(done.took, 1900ms);
}

TEST_F(Harness, PeersMisbehaveAsTheySay) {
  struct Case {
    Misbehaviour behaviour;
    std::string complaint;
  };
  for (const auto& [behaviour, complaint] : std::vector<Case>{
           {Misbehaviour::says_nothing, "timed out"},
           {Misbehaviour::slow_banner, "timed out"},
           {Misbehaviour::closes_at_once, "kex_exchange_identification"},
           {Misbehaviour::resets, "reset"},
           {Misbehaviour::too_many_startups, "Exceeded MaxStartups"},
           {Misbehaviour::penalises, "Not allowed at this time"},
           {Misbehaviour::stops_after_banner, "timed out"},
       }) {
    const BadPeer peer(behaviour);
    Launch launch = ssh(peer.endpoint(), current_user(), "true");
    launch.deadline = 4s;
    for (auto& word : launch.argv)
      if (word == "LogLevel=ERROR") word = "LogLevel=DEBUG1";
    const auto done = run(launch);
    // OpenSSH's connect timeout starts again with every byte, and does not count after the banner.
    const auto waits_for_ever = done.late && complaint == "timed out" && behaviour != Misbehaviour::says_nothing;
    EXPECT_TRUE(waits_for_ever || contains(done.err, complaint)) << complaint << '\n' << told(done);
    EXPECT_EQ(peer.connections(), 1);
  }
}

TEST_F(Harness, PeerPassesOnAfterItsFirstMisdeeds) {
  const SshServer server(accepting_key());
  const BadPeer peer({.behaviour = Misbehaviour::closes_at_once, .first = 2, .then = server.endpoint()});
  EXPECT_EQ(run_ssh(peer.endpoint()).code, 255);
  EXPECT_EQ(run_ssh(peer.endpoint()).code, 255);
  EXPECT_EQ(run_ssh(peer.endpoint()).out, "hi\n");
}

TEST_F(Harness, TerminalShowsPromptsAndSendsInterrupts) {
  PtyProcess shell({.argv = {"sh", "-c", "trap 'echo caught; exit 3' INT; test -t 0 && echo terminal; read word"}});
  ASSERT_TRUE(shell.wait_for("terminal"));
  shell.write("\3");
  const auto done = shell.finish();
  EXPECT_EQ(done.code, 3) << told(done);
  EXPECT_TRUE(contains(done.out, "caught"));
}

TEST_F(Harness, LateProgramsAreKilled) {
  const auto done = run({.argv = {"sleep", "100"}, .deadline = 1s});
  EXPECT_TRUE(done.late);
  EXPECT_EQ(done.signal, SIGKILL);
}

}  // namespace
}  // namespace muster::e2e
