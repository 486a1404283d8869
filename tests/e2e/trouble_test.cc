// Machines that do not behave. Each costs its own deadline, and nobody else's.
#include "tests/e2e/bad_peer.h"
#include "tests/e2e/end_to_end.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

class Trouble : public EndToEnd {
 protected:
  // One good host beside the bad one, a short connect timeout: the good one's output must come, the bad one be named.
  Finished beside_a_good_host(const Endpoint& bad, const std::vector<std::string>& options = {}) {
    use({host(good_, "good"), host(bad, "bad")});
    std::vector<std::string> words = {"run", "all", "--json", "--connect-timeout", "2s"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"--", "echo", "hello"});
    return muster(words);
  }
  void expect_unreachable(const Finished& done, const std::string& reason) {
    EXPECT_EQ(done.code, 3) << told(done);
    const auto lines = json_lines(done.out);
    EXPECT_EQ(result_of(lines, "good").value("stdout", ""), "hello\n");
    EXPECT_EQ(result_of(lines, "bad").value("state", ""), "unreachable") << told(done);
    EXPECT_TRUE(contains(result_of(lines, "bad").dump() + done.err, reason)) << told(done);
    EXPECT_LT(done.took, 6s) << "a connect timeout of 2 s";
  }
  static bool wait_for_logins(const SshServer& server) {
    return wait_until([&] { return server.logged("Starting session: command") > 0; });
  }
  SshServer good_{accepting_key()};
};

TEST_F(Trouble, DeadPort) {
  const std::string address = fresh_address();
  expect_unreachable(beside_a_good_host({.address = address, .port = free_port(address)}), "refused");
}

TEST_F(Trouble, BlackHoledAddress) {
  const BlackHole hole;
  const auto done = beside_a_good_host(hole.endpoint());
  expect_unreachable(done, "2s");
  EXPECT_GE(done.took, 1900ms);
}

TEST_F(Trouble, UnknownName) {
  expect_unreachable(beside_a_good_host({.address = "no-such-host.invalid", .port = 22}), "no-such-host.invalid");
}

TEST_F(Trouble, BannerThatNeverComes) {
  const BadPeer peer(Misbehaviour::says_nothing);
  expect_unreachable(beside_a_good_host(peer.endpoint()), "banner");
}

TEST_F(Trouble, BannerThatTricklesIn) {
  const BadPeer peer(Misbehaviour::slow_banner);
  expect_unreachable(beside_a_good_host(peer.endpoint()), "bad");
}

TEST_F(Trouble, GreetingThatNeverEnds) {
  const BadPeer peer(Misbehaviour::endless_greeting);
  expect_unreachable(beside_a_good_host(peer.endpoint()), "bad");
}

TEST_F(Trouble, ServerThatStopsAfterItsBanner) {
  const BadPeer peer(Misbehaviour::stops_after_banner);
  expect_unreachable(beside_a_good_host(peer.endpoint()), "bad");
}

TEST_F(Trouble, SomethingThatIsNoSshServer) {
  const BadPeer peer(Misbehaviour::no_ssh);
  const auto done = beside_a_good_host(peer.endpoint());
  expect_unreachable(done, "HTTP/1.1 400 Bad Request");
}

TEST_F(Trouble, ConnectionDroppedBeforeTheBannerIsTriedAgain) {
  for (const auto behaviour : {Misbehaviour::closes_at_once, Misbehaviour::resets, Misbehaviour::too_many_startups}) {
    const BadPeer peer({.behaviour = behaviour, .first = 2, .then = good_.endpoint()});
    use({host(peer.endpoint(), "web01").set("host_key", good_.host_key())});
    const auto done = muster({"run", "all", "--", "echo", "hello"});
    EXPECT_EQ(done.out, "web01: hello\n") << told(done);
    EXPECT_EQ(peer.connections(), 3);
  }
}

TEST_F(Trouble, TryingAgainEndsWithTheConnectTimeout) {
  const BadPeer peer(Misbehaviour::closes_at_once);
  expect_unreachable(beside_a_good_host(peer.endpoint()), "bad");
  EXPECT_GT(peer.connections(), 1);
  EXPECT_LT(peer.connections(), 30) << "retries wait between attempts";
}

TEST_F(Trouble, ServerThatPenalisesThisSourceIsLeftAlone) {
  const BadPeer peer(Misbehaviour::penalises);
  expect_unreachable(beside_a_good_host(peer.endpoint()), "Not allowed at this time");
  EXPECT_EQ(peer.connections(), 1) << "every further attempt prolongs the penalty";
}

TEST_F(Trouble, JumpHostThatPenalisesIsAskedOnceForAllBehindIt) {
  const BadPeer peer(Misbehaviour::penalises);
  const std::string jump = "root@" + peer.endpoint().address + ':' + std::to_string(peer.endpoint().port);
  std::vector<Host> hosts;
  for (int i = 1; i <= 5; ++i) hosts.push_back(host(good_, "web" + std::to_string(i)).set("proxy_jump", jump));
  use(hosts);
  const auto done = muster({"run", "all", "--retries", "1", "--json", "--", "true"});
  EXPECT_EQ(done.code, 15) << told(done);
  EXPECT_EQ(peer.connections(), 1) << "every further attempt prolongs the penalty";
  for (int i = 1; i <= 5; ++i)
    EXPECT_TRUE(contains(result_of(json_lines(done.out), "web" + std::to_string(i)).value("error", ""), "jump host"));
}

TEST_F(Trouble, JumpHostThatTakesNoSecondSessionCarriesAllOnTheFirst) {
  const BadPeer peer({.behaviour = Misbehaviour::penalises, .before = 1, .then = good_.endpoint()});
  std::vector<Host> hosts{host(peer.endpoint(), "bastion").set("host_key", good_.host_key())};
  // One more than a session carries before another is tried.
  for (int i = 1; i <= 65; ++i) hosts.push_back(host(good_, "web" + std::to_string(i)).set("proxy_jump", "bastion"));
  use(hosts);
  const auto done = muster({"run", "web*", "--fanout", "65", "--", "sleep 3"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(peer.connections(), 2);
}

TEST_F(Trouble, ServerThatPenalisesTheJumpHostIsLeftAlone) {
  const BadPeer peer(Misbehaviour::penalises);
  use({host(good_, "bastion"), host(peer.endpoint(), "web1").set("proxy_jump", "bastion")});
  const auto done = muster({"run", "web1", "--retries", "2", "--", "true"});
  EXPECT_EQ(done.code, 15) << told(done);
  EXPECT_TRUE(contains(done.err, "Not allowed at this time")) << told(done);
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(Trouble, FewUnauthenticatedConnectionsGoToOneAddressAtATime) {
  // Default MaxStartups drops at random from the tenth on: with a cap below it nothing is dropped.
  const SshServer server(accepting_key({"MaxStartups 10:100:10"}));
  std::vector<Host> hosts;
  for (int i = 10; i < 50; ++i) hosts.push_back(host(server, "web" + std::to_string(i)));
  use(hosts);
  const auto done = muster({"run", "all", "--fanout", "40", "--", "true"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(server.logged("drop connection"), 0U);
}

TEST_F(Trouble, ServerKilledInTheMiddle) {
  SshServer doomed(accepting_key());
  use({host(doomed, "doomed"), host(good_, "good")});
  const std::string gate = file("gate");
  MusterProcess process(
      command({"run", "all", "--json", "--", "echo started; while ! test -e " + gate + "; do sleep 0.05; done"}));
  ASSERT_TRUE(wait_for_logins(doomed) && wait_for_logins(good_)) << doomed.log();
  doomed.kill_hard();
  write(gate, "");
  const auto done = process.finish();
  EXPECT_EQ(done.code, 3) << told(done);
  const auto lines = json_lines(done.out);
  EXPECT_EQ(result_of(lines, "good").value("state", ""), "ok");
  const auto state = result_of(lines, "doomed").value("state", "");
  EXPECT_TRUE(state == "failed" || state == "unreachable") << state;
  EXPECT_FALSE(result_of(lines, "doomed").value("rc", nlohmann::json()).is_number())
      << "no exit status was ever sent: " << told(done);
}

TEST_F(Trouble, PeerThatStopsReadingCostsItsOwnTimeout) {
  const SshServer stuck(accepting_key());
  use({host(stuck, "stuck"), host(good_, "good")});
  auto launch = command({"run", "all", "--json", "--stdin", "--timeout", "4s", "--", "cat >/dev/null; echo read"});
  // More than all windows and socket buffers on the way hold.
  launch.input = std::string(24U << 20U, 'x');
  MusterProcess process(launch);
  ASSERT_TRUE(wait_for_logins(stuck)) << stuck.log();
  stuck.freeze_sessions();
  const auto done = process.finish();
  EXPECT_EQ(done.code, 3) << told(done);
  const auto lines = json_lines(done.out);
  EXPECT_EQ(result_of(lines, "stuck").value("state", ""), "timeout") << told(done);
  EXPECT_EQ(result_of(lines, "good").value("stdout", ""), "read\n");
  EXPECT_LT(done.took, 12s);
}

TEST_F(Trouble, TimeoutEndsACommandThatRunsTooLong) {
  use({host(good_, "web01")});
  const auto done = muster({"run", "all", "--json", "--timeout", "1s", "--", "echo early; sleep 100"});
  EXPECT_EQ(done.code, 1) << told(done);
  const auto result = result_of(json_lines(done.out), "web01");
  EXPECT_EQ(result.value("state", ""), "timeout");
  EXPECT_EQ(result.value("stdout", ""), "early\n") << "what came before the deadline is kept";
  EXPECT_LT(done.took, 5s);
}

TEST_F(Trouble, IdleTimeoutCountsFromTheLastOutput) {
  use({host(good_, "web01")});
  const auto busy =
      muster({"run", "all", "--idle-timeout", "2s", "--", "for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done"});
  EXPECT_EQ(busy.code, 0) << told(busy);
  const auto idle = muster({"run", "all", "--json", "--idle-timeout", "1s", "--", "echo early; sleep 100"});
  EXPECT_EQ(result_of(json_lines(idle.out), "web01").value("state", ""), "timeout") << told(idle);
  EXPECT_LT(idle.took, 6s);
}

TEST_F(Trouble, BackgroundProcessThatKeepsTheChannelDoesNotHoldTheHost) {
  use({host(good_, "web01")});
  const auto done = muster({"run", "all", "--", "sleep 100 & echo hello"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "web01: hello\n")) << told(done);
  EXPECT_LT(done.took, 15s);
}

TEST_F(Trouble, EndlessOutputEndsWithTheTimeoutInBoundedMemory) {
  use({host(good_, "web01")});
  auto launch = command({"run", "all", "-b", "--output-dir", file("out"), "--timeout", "1s", "--", "yes"});
  MusterProcess process(launch);
  const auto done = process.finish();
  EXPECT_EQ(done.code, 1) << done.err.substr(0, 2000);
  EXPECT_LT(done.took, 15s);
}

}  // namespace
}  // namespace muster::e2e
