// Against libvirt's own test driver, whose guests do at once what they are asked.
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "virt/connection.h"
#include "virt/lifecycle.h"
#include "vm/machine_facts.h"
#include "vm/port_answer.h"
#include "vm/stop.h"
#include "vm/wait_for.h"

namespace muster::vm {
namespace {

using base::Code;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Life : testing::Test {
  std::stop_source source;
  base::Context ctx{.stop = source.get_token()};
  virt::Connection connection{"test:///default"};
  virt::Domain domain = connection.domain("test");
};

TEST_F(Life, AMachineIsListedAndDescribed) {
  const auto all = list_machines(ctx, connection);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].name, "test");
  EXPECT_EQ(all[0].cpus, 2U);
  EXPECT_EQ(all[0].memory_bytes, 2ULL << 30);
  EXPECT_TRUE(all[0].persistent);
  ASSERT_EQ(all[0].addresses.size(), 1U);
  const auto details = describe(domain);
  EXPECT_EQ(details.max_memory_bytes, 8ULL << 30);
  ASSERT_EQ(details.facts.disks.size(), 1U);
  EXPECT_EQ(details.facts.disks[0].source, "/guest/diskimage1");
  EXPECT_TRUE(details.facts.disks[0].capacity_bytes);
}

TEST_F(Life, ASavedMachineIsListedAsSaved) {
  virt::save(domain);
  EXPECT_EQ(list_machines(ctx, connection).at(0).state, virt::State::saved);
}

TEST_F(Life, StoppingAsksAndSaysWhatCameOfIt) {
  EXPECT_EQ(stop(ctx, domain, {.grace = seconds(30)}), StopOutcome::shut_down);
  EXPECT_EQ(domain.reason(), "shut down");
  EXPECT_EQ(stop(ctx, domain, {}), StopOutcome::was_off);
}

TEST_F(Life, APausedMachineIsForcedOrRefused) {
  virt::pause(domain);
  try {
    stop(ctx, domain, {.grace = seconds(30), .may_force = false});
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), Code::refused);
    EXPECT_NE(std::string(e.what()).find("resume it first"), std::string::npos) << e.what();
  }
  EXPECT_EQ(stop(ctx, domain, {.grace = seconds(30)}), StopOutcome::forced);
  EXPECT_EQ(domain.reason(), "destroyed");
}

TEST_F(Life, NoGraceForcesAtOnce) { EXPECT_EQ(stop(ctx, domain, {.grace = milliseconds(0)}), StopOutcome::forced); }

TEST_F(Life, WaitingEndsWhenItIsThere) {
  using Kind = Milestone::Kind;
  EXPECT_EQ(wait_for(ctx, domain, {Kind::running}, seconds(30)), "");
  EXPECT_EQ(wait_for(ctx, domain, {Kind::ip}, seconds(30)), "192.168.122.3");
  try {
    wait_for(ctx, domain, {Kind::off}, milliseconds(50));
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), Code::timeout);
    EXPECT_NE(std::string(e.what()).find("'test' is not off"), std::string::npos) << e.what();
  }
  virt::power_off(domain);
  wait_for(ctx, domain, {Kind::off}, seconds(30));
  EXPECT_THROW(wait_for(ctx, domain, {Kind::agent}, seconds(30)), base::Error);
}

// A listening socket on loopback; who accepts is the kernel, and nobody says a word.
struct Listening {
  Listening() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd.get(), 8), 0);
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
  }
  // The next that calls.
  base::UniqueFd accept() const { return base::UniqueFd(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

  base::UniqueFd fd;
  std::uint16_t port = 0;
};

TEST_F(Life, APortAnswersAsSoonAsItAccepts) {
  const Listening somebody;
  EXPECT_EQ(
      wait_for(ctx, domain, {.kind = Milestone::Kind::port, .number = somebody.port, .host = "localhost"}, seconds(30)),
      "localhost");
  EXPECT_NO_THROW(wait_for(ctx, domain, {.kind = Milestone::Kind::port, .number = somebody.port, .host = "127.0.0.1"},
                           milliseconds(0)))
      << "one try is made";
  std::uint16_t nobody = 0;
  { nobody = Listening().port; }
  try {
    wait_for(ctx, domain, {.kind = Milestone::Kind::port, .number = nobody, .host = "127.0.0.1"}, milliseconds(300));
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), Code::timeout);
    EXPECT_NE(std::string(e.what()).find("(127.0.0.1 refuses)"), std::string::npos) << e.what();
  }
}

TEST_F(Life, AnSshServerSaysWhatItIs) {
  const Listening server;
  const Milestone ssh{.kind = Milestone::Kind::ssh, .number = server.port, .host = "127.0.0.1"};
  try {
    wait_for(ctx, domain, ssh, milliseconds(300));
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), Code::timeout);
    EXPECT_NE(std::string(e.what()).find("accepts, and says nothing"), std::string::npos) << e.what();
  }
  // Those that came in vain; then one that talks something else, one that goes, and at last one with a notice before.
  server.accept();
  const std::jthread speaks([&] {
    base::write_all(server.accept().get(), "HTTP/1.1 400 Bad Request\r\n\r\n");
    server.accept();
    base::write_all(server.accept().get(), "Closed for maintenance soon\r\nSSH-2.0-some\r\n");
  });
  EXPECT_EQ(wait_for(ctx, domain, ssh, seconds(30)), "127.0.0.1");
}

TEST_F(Life, OneAddressThatAnswersIsEnough) {
  const Listening somebody;
  const Endpoint good{.host = "127.0.0.1", .port = somebody.port};
  const auto came = knock(ctx, {{.host = "no.such.name.invalid", .port = 22}, good}, Answer::accepts, seconds(30));
  EXPECT_EQ(came.host, "127.0.0.1");
  const auto none = knock(ctx, {{.host = "no.such.name.invalid", .port = 22}}, Answer::accepts, seconds(30));
  EXPECT_FALSE(none.host);
  EXPECT_EQ(none.complaint, "'no.such.name.invalid' has no address");
}

TEST_F(Life, WaitingForAPortOfAMachineThatIsOffIsRefused) {
  virt::power_off(domain);
  try {
    wait_for(ctx, domain, {.kind = Milestone::Kind::ssh, .number = 22, .host = "127.0.0.1"}, seconds(30));
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), Code::refused);
  }
}

TEST_F(Life, MilestonesAreWordsAndPorts) {
  EXPECT_EQ(parse_milestone("agent").kind, Milestone::Kind::agent);
  EXPECT_EQ(parse_milestone("port:8080").number, 8080);
  for (const char* wrong : {"port", "port:", "port:0", "port:65536", "port:ssh", "up", ""})
    EXPECT_THROW(parse_milestone(wrong), base::Error) << wrong;
  const auto back = milestone_from_json(to_json({.kind = Milestone::Kind::port, .number = 80, .host = "web01"}));
  EXPECT_TRUE(back.kind == Milestone::Kind::port && back.number == 80 && back.host == "web01");
}

TEST_F(Life, WaitingForAnAnswerCanBeCancelledAtOnce) {
  const Listening silent;
  const auto begun = base::Clock::now();
  const std::jthread stops([&] {
    silent.accept();
    source.request_stop();
  });
  try {
    wait_for(ctx, domain, {.kind = Milestone::Kind::ssh, .number = silent.port, .host = "127.0.0.1"}, seconds(30));
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), Code::cancelled);
  }
  EXPECT_LT(base::Clock::now() - begun, seconds(5));
}

TEST_F(Life, WaitingCanBeCancelled) {
  source.request_stop();
  try {
    wait_for(ctx, domain, {Milestone::Kind::off}, seconds(30));
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), Code::cancelled);
  }
}

}  // namespace
}  // namespace muster::vm
