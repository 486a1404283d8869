#include "parallel-ssh/host_runner.h"

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/parallel-ssh/loopback.h"
#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::milliseconds;
using base::seconds;

// Does the same to each connection that comes.
class Server {
 public:
  // What `greet` returns is held open.
  using Greet = std::function<base::UniqueFd(base::UniqueFd)>;
  explicit Server(Greet greet)
      : listener_(16), thread_([this, greet = std::move(greet)] {
          std::vector<base::UniqueFd> held;
          while (auto fd = listener_.accept()) {
            ++connections_;
            held.push_back(greet(std::move(fd)));
          }
        }) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() { listener_.stop(); }

  int connections() const { return connections_; }
  std::uint16_t port() const { return port_of(listener_.address()); }

 private:
  Listener listener_;
  std::atomic<int> connections_ = 0;
  std::jthread thread_;
};

base::UniqueFd say_nothing(base::UniqueFd fd) { return fd; }
base::UniqueFd close_at_once(base::UniqueFd) { return {}; }
base::UniqueFd penalise(base::UniqueFd fd) {
  base::write_all(fd.get(), "Not allowed at this time\r\n");
  return {};
}

struct HostRunnerTest : testing::Test, OutputSink {
  void output(Stream, std::string_view bytes) override { shown += bytes; }

  static Target target(std::uint16_t port) {
    Target made;
    made.name = "web1";
    made.address = made.session.host = made.host_key_name = "127.0.0.1";
    made.session.port = port;
    made.session.user = "nobody";
    made.host_key_mode = HostKeyMode::none;
    made.connect_timeout = milliseconds(300);
    return made;
  }
  HostReport run(const Target& to, int retries = 0) {
    RunRequest request;
    request.command.command = "true";
    return HostRunner(ctx, connector, host_keys, abort, retries).run(to, request, *this);
  }

  std::string shown;
  KeptEvents events;
  base::Context ctx{.stop = {}, .events = &events};
  std::stop_source source;
  CancelSignal abort{source.get_token()};
  HostKeyCheck host_keys;
  KeyStore keys{[](const std::string&) { return std::nullopt; }};
  Connector connector{abort, host_keys, keys};
};

TEST_F(HostRunnerTest, ARefusedConnectionIsUnreachable) {
  const auto report = run(target(port_of(closed_port())));
  EXPECT_EQ(report.state, HostState::unreachable);
  EXPECT_NE(report.error.find("refused"), std::string::npos) << report.error;
  EXPECT_FALSE(report.status);
}

TEST_F(HostRunnerTest, SilenceCostsTheConnectTimeoutAndIsTriedAgainOnlyIfAsked) {
  const Server server(say_nothing);
  const auto start = Clock::now();
  const auto report = run(target(server.port()));
  EXPECT_GE(Clock::now() - start, milliseconds(300));
  EXPECT_EQ(report.state, HostState::unreachable);
  EXPECT_NE(report.error.find("banner"), std::string::npos) << report.error;
  EXPECT_NE(report.error.find("connect timeout 0.30s"), std::string::npos) << report.error;
  EXPECT_EQ(server.connections(), 1);
  run(target(server.port()), 1);
  EXPECT_EQ(server.connections(), 3);
}

TEST_F(HostRunnerTest, AConnectionDroppedBeforeTheBannerIsTriedAgainWithinTheTimeout) {
  const Server server(close_at_once);
  Target to = target(server.port());
  to.connect_timeout = seconds(1);
  const auto start = Clock::now();
  const auto report = run(to);
  EXPECT_EQ(report.state, HostState::unreachable);
  EXPECT_NE(report.error.find("dropped before the banner"), std::string::npos) << report.error;
  EXPECT_GE(server.connections(), 2);
  EXPECT_LT(server.connections(), 6);
  EXPECT_LT(Clock::now() - start, seconds(20));
}

TEST_F(HostRunnerTest, APenaltyEndsAllConnectionsToThatServer) {
  const Server server(penalise);
  for (int i = 0; i < 3; ++i) {
    const auto report = run(target(server.port()), 2);
    EXPECT_EQ(report.state, HostState::unreachable);
    EXPECT_NE(report.error.find("Not allowed at this time"), std::string::npos) << report.error;
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HostRunnerTest, WhatCannotBeDoneIsSaidWithoutAConnection) {
  const Server server(say_nothing);
  Target to = target(server.port());
  to.refusal = "ansible_connection 'winrm' is not ssh";
  EXPECT_EQ(run(to).error, to.refusal);
  EXPECT_EQ(HostRunner(ctx, connector, host_keys, abort, 3).ping(to, *this).error, to.refusal);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(HostRunnerTest, InterruptedBeforeItsCommandAHostWasSkipped) {
  const Server server(say_nothing);
  Target to = target(server.port());
  to.connect_timeout = seconds(60);
  HostReport report;
  std::jthread running([&] { report = run(to, 5); });
  while (server.connections() == 0) std::this_thread::yield();
  source.request_stop();
  running.join();
  EXPECT_EQ(report.state, HostState::skipped);
  EXPECT_NE(report.error.find("interrupted"), std::string::npos) << report.error;
}

TEST_F(HostRunnerTest, ACertificateAuthorityNeedsTheOtherClient) {
  const inventory::FileTree tree;
  tree.add("known_hosts", "@cert-authority * " + key_line(1) + "\n");
  Target to = target(1);
  to.host_key_mode = HostKeyMode::strict;
  to.known_hosts_files = {tree.path("known_hosts")};
  to.transport_fixed = true;
  const auto report = run(to);
  EXPECT_EQ(report.state, HostState::unreachable);
  EXPECT_NE(report.error.find("--transport libssh"), std::string::npos) << report.error;
}

TEST_F(HostRunnerTest, APingShowsNothingOfWhatItDidNotReach) {
  const auto report = HostRunner(ctx, connector, host_keys, abort, 0).ping(target(port_of(closed_port())), *this);
  EXPECT_EQ(report.state, HostState::unreachable);
  EXPECT_EQ(shown, "");
}

}  // namespace
}  // namespace muster::ssh
