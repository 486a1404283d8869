// A thousand hosts: one real sshd behind a thousand loopback addresses. Runs alone, being the heaviest of all.
#include <set>
#include <sstream>

#include <sys/resource.h>

#include "tests/e2e/bad_peer.h"
#include "tests/e2e/end_to_end.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

class Scale : public EndToEnd {
 protected:
  std::vector<Host> fleet(int count) const {
    std::vector<Host> hosts;
    for (int i = 0; i < count; ++i) {
      const std::string address = "127.9." + std::to_string(i / 250) + '.' + std::to_string(i % 250 + 1);
      hosts.push_back(host(server_, "node" + std::to_string(1000 + i)).set("address", address));
    }
    return hosts;
  }
  static SshServer::Options on_all_addresses(SshServer::Options options) {
    options.address = "0.0.0.0";
    options.config.emplace_back("MaxStartups 10000");
    options.config.emplace_back("LogLevel ERROR");
    return options;
  }
  SshServer server_{on_all_addresses(accepting_key())};
};

TEST_F(Scale, ThousandHostsAllAnswer) {
  use(fleet(1000));
  auto launch = command({"run", "all", "--fanout", "64", "--", "echo here"});
  launch.deadline = 110s;
  const auto done = run(launch);
  EXPECT_EQ(done.code, 0) << done.err.substr(0, 3000);
  std::set<std::string> names;
  std::istringstream lines(done.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.ends_with(": here")) << line;
    names.insert(line.substr(0, line.find(':')));
  }
  EXPECT_EQ(names.size(), 1000U);
}

TEST_F(Scale, MemoryIsBoundedByTheFanout) {
  use(fleet(300));
  auto launch = command({"run", "all", "--fanout", "64", "-b", "--", "seq 1 20000"});
  launch.deadline = 110s;
  EXPECT_EQ(run(launch).code, 0);
  rusage usage{};
  ASSERT_EQ(::getrusage(RUSAGE_CHILDREN, &usage), 0);
  // The largest child that was waited for; 300 outputs of 109 KB would be 33 MB.
  EXPECT_LT(usage.ru_maxrss, 40L * 1024) << "KiB";
}

TEST_F(Scale, OneHangingHostCostsTheOthersNothing) {
  const BadPeer stuck(Misbehaviour::says_nothing);
  auto hosts = fleet(100);
  hosts.insert(hosts.begin(), host(stuck.endpoint(), "aaa"));
  use(hosts);
  auto launch = command({"run", "all", "--fanout", "16", "--connect-timeout", "20s", "--", "echo here"});
  MusterProcess process(launch);
  ASSERT_TRUE(process.wait_for("node1099: here"));
  const auto all_but_one = std::chrono::steady_clock::now();
  const auto done = process.finish();
  EXPECT_EQ(done.code, 3) << told(done);
  EXPECT_GT(std::chrono::steady_clock::now() - all_but_one, 5s) << "the others were there long before its deadline";
}

}  // namespace
}  // namespace muster::e2e
