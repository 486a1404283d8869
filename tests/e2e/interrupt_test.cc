// Ctrl-C and SIGTERM, at each stage of a run.
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

class Interrupt : public EndToEnd {
 protected:
  std::string until(const std::string& gate) const {
    return "echo started; while ! test -e " + file(gate) + "; do sleep 0.05; done; echo finished";
  }
  SshServer server_{accepting_key()};
};

TEST_F(Interrupt, FirstOneStartsNoMoreHostsAndNamesTheRunning) {
  use({host(server_, "web01"), host(server_, "web02")});
  MusterProcess process(command({"run", "all", "--fanout", "1", "--", until("gate")}));
  ASSERT_TRUE(process.wait_for("started"));
  const auto said = process.err().size();
  process.signal(SIGINT);
  ASSERT_TRUE(process.wait_for_error("web01", said)) << process.err();
  write(file("gate"), "");
  const auto done = process.finish();
  EXPECT_EQ(done.code, 130) << told(done);
  EXPECT_TRUE(contains(done.out, "web01: finished")) << "what ran was allowed to end\n" << told(done);
  EXPECT_FALSE(contains(done.out, "web02"));
  EXPECT_EQ(server_.logged("Accepted publickey"), 1U);
}

TEST_F(Interrupt, SecondOneClosesWhatRuns) {
  use({host(server_, "web01")});
  MusterProcess process(command({"run", "all", "--", "echo started; sleep 100"}));
  ASSERT_TRUE(process.wait_for("started"));
  process.signal(SIGINT);
  ASSERT_TRUE(process.wait_for_error("web01"));
  process.signal(SIGINT);
  const auto done = process.finish();
  EXPECT_EQ(done.code, 130) << told(done);
  EXPECT_LT(done.took, 15s);
}

TEST_F(Interrupt, SecondOneSendsTermToTheRemoteCommand) {
  if (!is_root()) GTEST_SKIP() << "a mount namespace with a user of its own needs root";
  // sshd passes signals on only where it separates privileges, which it does not for root.
  const PrivateUser user("unused");
  auto options = accepting_key();
  options.in_namespace = user.in_namespace();
  const SshServer server(options);
  const std::string caught = user.directory() / "home/caught";
  use({host(server, "web01").set("user", PrivateUser::kName)});
  MusterProcess process(
      command({"run", "all", "--",
               "trap 'echo > " + caught + "; exit 3' TERM; echo started; " + "while :; do sleep 0.05; done"}));
  ASSERT_TRUE(process.wait_for("started")) << server.log();
  process.signal(SIGINT);
  ASSERT_TRUE(process.wait_for_error("web01"));
  process.signal(SIGINT);
  const auto done = process.finish();
  EXPECT_EQ(done.code, 130) << told(done);
  EXPECT_TRUE(wait_until([&] { return std::filesystem::exists(caught); })) << server.log();
}

TEST_F(Interrupt, ThirdOneExitsAtOnceEvenIfThePeerIsStuck) {
  const BadPeer peer(Misbehaviour::says_nothing);
  use({host(peer.endpoint(), "web01")});
  MusterProcess process(command({"run", "all", "--connect-timeout", "60s", "--", "true"}));
  ASSERT_TRUE(wait_until([&] { return peer.connections() > 0; }));
  for (int i = 0; i < 3; ++i) {
    process.signal(SIGINT);
    // Signals of one kind that come together are one signal.
    wait_until([&] { return !is_running(process.pid()); }, 200);
  }
  const auto done = process.finish();
  EXPECT_EQ(done.code, 130) << told(done);
  EXPECT_LT(done.took, 5s);
}

TEST_F(Interrupt, WhileConnectingEndsWithTheSecond) {
  const BlackHole hole;
  const BadPeer peer(Misbehaviour::says_nothing);
  use({host(hole.endpoint(), "web01"), host(peer.endpoint(), "web02")});
  MusterProcess process(command({"run", "all", "--connect-timeout", "60s", "--", "true"}));
  ASSERT_TRUE(wait_until([&] { return peer.connections() > 0; }));
  process.signal(SIGINT);
  wait_until([&] { return !is_running(process.pid()); }, 300);
  process.signal(SIGINT);
  const auto done = process.finish();
  EXPECT_EQ(done.code, 130) << told(done);
  EXPECT_LT(done.took, 10s);
}

TEST_F(Interrupt, WhileASerialBatchRunsStartsNoNextBatch) {
  use({host(server_, "web01"), host(server_, "web02"), host(server_, "web03")});
  MusterProcess process(command({"run", "all", "--serial", "1", "--json", "--", until("gate")}));
  ASSERT_TRUE(wait_until([&] { return server_.logged("Starting session: command") == 1; }));
  process.signal(SIGINT);
  ASSERT_TRUE(process.wait_for_error("web01"));
  write(file("gate"), "");
  const auto done = process.finish();
  EXPECT_EQ(done.code, 130);
  EXPECT_EQ(server_.logged("Accepted publickey"), 1U);
  const auto lines = json_lines(done.out);
  EXPECT_EQ(result_of(lines, "web01").value("state", ""), "ok");
  EXPECT_EQ(result_of(lines, "web03").value("state", ""), "skipped");
  EXPECT_EQ(summary_of(lines).value("exit", -1), 130);
}

TEST_F(Interrupt, ControlCOnATerminalReachesOnlyMuster) {
  use({host(server_, "web01")});
  PtyProcess process(command({"run", "all", "--", until("gate")}));
  ASSERT_TRUE(process.wait_for("started")) << process.screen();
  process.write("\3");
  write(file("gate"), "");
  const auto done = process.finish();
  EXPECT_EQ(done.code, 130) << told(done);
  EXPECT_TRUE(contains(done.out, "finished")) << told(done);
}

TEST_F(Interrupt, TerminationUnwinds) {
  use({host(server_, "web01"), host(server_, "web02")});
  MusterProcess process(command({"run", "all", "--json", "--fanout", "1", "--", "echo started; sleep 100"}));
  ASSERT_TRUE(wait_until([&] { return server_.logged("Starting session: command") == 1; }));
  process.signal(SIGTERM);
  const auto done = process.finish();
  EXPECT_EQ(done.code, 130) << told(done);
  EXPECT_LT(done.took, 10s);
  const auto lines = json_lines(done.out);
  EXPECT_EQ(summary_of(lines).value("exit", -1), 130) << told(done);
}

// sshd passes no signals to root's sessions, so these fail where muster relies on it.
TEST_F(Interrupt, NothingIsLeftRunningRemotely) {
  use({host(server_, "web01")});
  for (const bool by_timeout : {false, true}) {
    const std::string pid_file = file(by_timeout ? "pid-timeout" : "pid-signal");
    const std::string remote = "sleep 1000 & echo $! >" + pid_file + "; echo started; wait";
    std::vector<std::string> words = {"run", "all"};
    if (by_timeout) words.insert(words.end(), {"--timeout", "2s"});
    words.insert(words.end(), {"--", remote});
    MusterProcess process(command(words));
    ASSERT_TRUE(process.wait_for("started")) << process.err();
    if (!by_timeout) process.signal(SIGTERM);
    const auto done = process.finish();
    EXPECT_EQ(done.code, by_timeout ? 1 : 130) << told(done);
    const pid_t sleeper = std::stoi(read(pid_file));
    EXPECT_TRUE(wait_until([&] { return !is_running(sleeper); })) << "by timeout: " << by_timeout;
  }
}

TEST_F(Interrupt, OpensshChildrenEndWithTheRun) {
  write(home() + "/.ssh/known_hosts", server_.known_hosts_line());
  use({host(server_, "web01")});
  MusterProcess process(command({"run", "all", "--transport", "openssh", "--", "echo started; sleep 100"}));
  ASSERT_TRUE(process.wait_for("started")) << process.err();
  process.signal(SIGTERM);
  EXPECT_EQ(process.finish().code, 130);
}

}  // namespace
}  // namespace muster::e2e
