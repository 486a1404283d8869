// Hosts that go through OpenSSH's client keep the promises of those that do not.
#include "tests/e2e/bad_peer.h"
#include "tests/e2e/end_to_end.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

class Client : public EndToEnd {
 protected:
  Finished through_client(const std::vector<std::string>& more) {
    std::vector<std::string> words = {"run", "all", "--transport", "openssh", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return muster(words);
  }
  SshServer server_{accepting_key()};
};

TEST_F(Client, PinnedKeyHoldsUnderEveryPolicy) {
  const SshServer other(accepting_key());
  Host pinned = host(server_, "web01").set("host_key", other.host_key());
  for (const std::string arguments : {"", "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"}) {
    if (!arguments.empty()) pinned.set("ansible_ssh_common_args", arguments);
    use({pinned});
    for (const std::string policy : {"strict", "accept-new", "none"}) {
      const auto done = through_client({"--host-keys", policy, "--", "echo", "hello"});
      EXPECT_EQ(done.code, 15) << policy << told(done);
      EXPECT_EQ(result_of(json_lines(done.out), "web01").value("stdout", ""), "") << policy;
    }
  }
  EXPECT_EQ(server_.logged("Accepted publickey"), 0U);
}

TEST_F(Client, ServerThatStopsAfterItsBannerCostsTheConnectTimeout) {
  const BadPeer peer(Misbehaviour::stops_after_banner);
  use({host(server_, "good"), host(peer.endpoint(), "bad").set("host_key", server_.host_key())});
  const auto done = through_client({"--connect-timeout", "2s", "--", "echo", "hello"});
  EXPECT_EQ(done.code, 3) << told(done);
  const auto lines = json_lines(done.out);
  EXPECT_EQ(result_of(lines, "good").value("stdout", ""), "hello\n");
  EXPECT_EQ(result_of(lines, "bad").value("state", ""), "unreachable");
  EXPECT_LT(done.took, 8s);
}

TEST_F(Client, ConnectTimeoutIsNotTheCommands) {
  use({host(server_, "web01")});
  const auto done = through_client({"--connect-timeout", "2s", "--", "sleep 3; echo hello"});
  EXPECT_EQ(result_of(json_lines(done.out), "web01").value("stdout", ""), "hello\n") << told(done);
}

TEST_F(Client, CommandThatMayHaveRunIsNotRunAgain) {
  use({host(server_, "web01")});
  const auto done =
      through_client({"--retries", "2", "--", "echo ran >>" + file("runs") + "; echo oops >&2; exit 255"});
  EXPECT_EQ(read(file("runs")), "ran\n");
  const auto result = result_of(json_lines(done.out), "web01");
  EXPECT_EQ(result.value("state", ""), "failed") << told(done);
  EXPECT_EQ(result.value("rc", 0), 255);
  EXPECT_EQ(result.value("stderr", ""), "oops\n");
}

TEST_F(Client, LostConnectionIsNoExitStatusAndNotTriedAgain) {
  SshServer doomed(accepting_key());
  use({host(doomed, "web01")});
  auto launch = command({"run", "all", "--transport", "openssh", "--json", "--retries", "2", "--",
                         "echo ran >>" + file("runs") + "; sleep 100"});
  MusterProcess process(launch);
  ASSERT_TRUE(wait_until([&] { return doomed.logged("Starting session: command") > 0; })) << doomed.log();
  doomed.kill_hard();
  const auto done = process.finish();
  const auto result = result_of(json_lines(done.out), "web01");
  EXPECT_EQ(result.value("state", ""), "failed") << told(done);
  EXPECT_FALSE(result.value("rc", nlohmann::json()).is_number()) << told(done);
  EXPECT_TRUE(contains(result.value("error", ""), "connection lost")) << told(done);
}

TEST_F(Client, ReasonOfAFailedConnectionIsTold) {
  const std::string address = fresh_address();
  use({host(Endpoint{.address = address, .port = free_port(address)}, "web01")});
  const auto done = through_client({"--", "true"});
  EXPECT_EQ(done.code, 15) << told(done);
  EXPECT_TRUE(contains(done.out, "Connection refused")) << told(done);
}

}  // namespace
}  // namespace muster::e2e
