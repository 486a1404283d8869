#include "parallel-ssh/dialer.h"

#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "parallel-ssh/resolver.h"
#include "tests/parallel-ssh/loopback.h"
#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::milliseconds;
using base::seconds;

// One whose queue is full: further connections neither succeed nor fail.
class FullListener {
 public:
  FullListener() : listener_(0) {
    for (auto& fd : queued_) {
      fd = base::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&listener_.address().storage), listener_.address().length);
    }
  }
  const Address& address() const { return listener_.address(); }

 private:
  Listener listener_;
  std::array<base::UniqueFd, 4> queued_;
};

struct Network : testing::Test {
  std::stop_source source;
  CancelSignal cancel{source.get_token()};
  Patience patience(milliseconds left = seconds(30)) const { return {Clock::now() + left, &cancel}; }
};
struct Dialer : Network {};
struct ResolverTest : Network {
  Resolver resolver;
};

TEST_F(Dialer, GivesAConnectedSocketWithItsPromisedFlags) {
  const Listener listener(4);
  const auto fd = dial({listener.address()}, "", patience());
  EXPECT_NE(::fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  int on = 0;
  socklen_t length = sizeof on;
  ::getsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, &length);
  EXPECT_NE(on, 0);
  base::write_all(listener.accept().get(), "x");
  EXPECT_EQ(read_to_end(fd.get()), "x");
}

TEST_F(Dialer, RefusedNamesAddressPortAndReason) {
  const auto address = closed_port();
  const auto failure = failure_of([&] { dial({address}, "", patience()); });
  EXPECT_TRUE(failure.is(Code::unreachable, "127.0.0.1 port " + std::to_string(port_of(address)) + ": ")) << failure;
  EXPECT_NE(failure.text.find("refused"), std::string::npos) << failure;
}

TEST_F(Dialer, ARefusedAddressIsFollowedByTheNext) {
  const Listener listener(4);
  EXPECT_TRUE(dial({closed_port(), listener.address()}, "", patience()));
}

TEST_F(Dialer, ASilentAddressDoesNotHoldUpTheNext) {
  const FullListener silent;
  const Listener listener(4);
  const auto start = Clock::now();
  const auto fd = dial({silent.address(), listener.address()}, "", patience());
  EXPECT_GE(Clock::now() - start, milliseconds(200));  // the first had its head start
  sockaddr_in peer{};
  socklen_t length = sizeof peer;
  ASSERT_EQ(::getpeername(fd.get(), reinterpret_cast<sockaddr*>(&peer), &length), 0);
  EXPECT_EQ(ntohs(peer.sin_port), port_of(listener.address()));
}

TEST_F(Dialer, SilenceTimesOutAtTheDeadline) {
  const FullListener silent;
  const auto limit = patience(milliseconds(100));
  const auto failure = failure_of([&] { dial({silent.address()}, "", limit); });
  EXPECT_TRUE(failure.is(Code::timeout, "connecting to 127.0.0.1")) << failure;
  EXPECT_GE(Clock::now(), limit.deadline);
}

TEST_F(Dialer, CancelWakesIt) {
  const FullListener silent;
  Failure failure;
  const auto limit = patience();
  std::jthread dialing([&] { failure = failure_of([&] { dial({silent.address()}, "", limit); }); });
  source.request_stop();
  dialing.join();
  EXPECT_LT(Clock::now(), limit.deadline);
  EXPECT_EQ(failure.code, Code::cancelled);
}

// An overloaded sshd accepts and drops at once. Whether the reset is there before we look is up to the scheduler, so
// many connections are made; none of them may count as refused.
TEST_F(Dialer, AResetCountsAsConnected) {
  const Listener listener(16);
  std::jthread dropper([&] {
    while (const auto fd = listener.accept()) {
      const linger at_once{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
  });
  for (int i = 0; i < 200; ++i) {
    const auto failure = failure_of([&] { dial({listener.address()}, "", patience()); });
    EXPECT_FALSE(failure.code) << failure;
  }
  listener.stop();
}

TEST_F(Dialer, NoAddressIsUnreachable) {
  EXPECT_EQ(failure_of([&] { dial({}, "", patience()); }).code, Code::unreachable);
}

TEST_F(Dialer, BindsToTheAddressItIsTold) {
  const Listener listener(4);
  const auto fd = dial({listener.address()}, "127.0.0.9", patience());
  sockaddr_in own{};
  socklen_t length = sizeof own;
  ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &length), 0);
  EXPECT_EQ(ntohl(own.sin_addr.s_addr), 0x7F000009U);
  const auto failure = failure_of([&] { dial({listener.address()}, "::1", patience()); });
  EXPECT_TRUE(failure.is(Code::usage, "bind address '::1'")) << failure;
}

TEST_F(ResolverTest, ANumberIsItsOwnAnswer) {
  const auto four = resolver.resolve("127.0.0.7", 2222, AddressFamily::any, patience());
  ASSERT_EQ(four.size(), 1U);
  EXPECT_EQ(four[0].text, "127.0.0.7");
  EXPECT_EQ(port_of(four[0]), 2222);
  const auto six = resolver.resolve("::1", 22, AddressFamily::any, patience());
  ASSERT_EQ(six.size(), 1U);
  EXPECT_EQ(six[0].text, "::1");
  EXPECT_EQ(six[0].storage.ss_family, AF_INET6);
  EXPECT_EQ(ntohs(reinterpret_cast<const sockaddr_in6&>(six[0].storage).sin6_port), 22);
}

TEST_F(ResolverTest, ANameGetsEachPortAskedFor) {
  const auto first = resolver.resolve("localhost", 22, AddressFamily::inet, patience());
  ASSERT_FALSE(first.empty());
  EXPECT_EQ(first[0].text, "127.0.0.1");
  EXPECT_EQ(port_of(first[0]), 22);
  const auto second = resolver.resolve("localhost", 2222, AddressFamily::inet, patience());
  EXPECT_EQ(port_of(second.at(0)), 2222);
}

TEST_F(ResolverTest, AnUnknownNameIsUnreachableEachTime) {
  for (int i = 0; i < 2; ++i) {
    const auto failure = failure_of([&] { resolver.resolve("no such host", 22, AddressFamily::any, patience()); });
    EXPECT_TRUE(failure.is(Code::unreachable, "cannot resolve 'no such host'")) << failure;
  }
}

TEST_F(ResolverTest, ManyThreadsShareOneAnswer) {
  std::atomic<int> answered = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i)
      threads.emplace_back([&, i] {
        const auto name = i % 2 == 0 ? "localhost" : "localhost.";
        const auto failure = failure_of([&] { resolver.resolve(name, 22, AddressFamily::inet, patience()); });
        if (!failure.code || failure.code == Code::unreachable) ++answered;
      });
  }
  EXPECT_EQ(answered, 16);
}

// No name server hangs on demand. A look-up takes longer than no time at all, though now and then the answer may win.
TEST_F(ResolverTest, PassedDeadlineIsATimeout) {
  for (int i = 0; i < 50; ++i) {
    const std::string name = "late" + std::to_string(i) + ".invalid";
    const auto failure = failure_of([&] { resolver.resolve(name, 22, AddressFamily::any, patience(milliseconds(0))); });
    if (failure.is(Code::timeout, "timed out resolving '" + name + "'")) return;
  }
  FAIL() << "50 look-ups were never cut short";
}

// As many hang as there are threads at first.
TEST_F(ResolverTest, NamesThatHangHoldUpNoOthers) {
  Resolver slow([](const std::string& name, AddressFamily) {
    if (name.starts_with("hangs")) std::this_thread::sleep_for(seconds(60));  // in threads that end with the process
    return Answer{{loopback(0)}, ""};
  });
  std::vector<std::jthread> threads;
  for (int i = 0; i < 20; ++i)
    threads.emplace_back([&, i] {
      failure_of([&] { slow.resolve("hangs" + std::to_string(i), 22, AddressFamily::any, patience(seconds(2))); });
    });
  std::this_thread::sleep_for(milliseconds(50));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(slow.resolve("good" + std::to_string(i), 22, AddressFamily::any, patience(seconds(20))).size(), 1U);
  threads.clear();
}

TEST_F(ResolverTest, CancelledItSaysSo) {
  source.request_stop();
  const auto failure = failure_of([&] { resolver.resolve("localhost", 22, AddressFamily::any, patience()); });
  EXPECT_TRUE(failure.is(Code::cancelled, "resolving 'localhost'")) << failure;
}

}  // namespace
}  // namespace muster::ssh
