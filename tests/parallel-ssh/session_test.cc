#include "parallel-ssh/session.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <functional>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <libssh/libssh.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/socket_pair.h"
#include "tests/parallel-ssh/support.h"

namespace {
std::atomic<int> closes_of_nothing = 0;
std::function<void()> before_connect;  // what happens in the moment in which libssh begins
}  // namespace

// libssh's closes too come through here.
extern "C" int close(int fd) {
  static const auto real = reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, "close"));
  const int rc = real(fd);
  if (rc != 0 && errno == EBADF) ++closes_of_nothing;
  return rc;
}

extern "C" int ssh_connect(ssh_session session) {
  static const auto real = reinterpret_cast<int (*)(ssh_session)>(::dlsym(RTLD_NEXT, "ssh_connect"));
  if (before_connect) before_connect();
  return real(session);
}

namespace muster::ssh {
namespace {

// Two ends of a TCP connection.
struct SessionSockets : testing::Test {
  void SetUp() override {
    const base::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    ASSERT_EQ(::bind(listener.get(), raw, length), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    ASSERT_EQ(::getsockname(listener.get(), raw, &length), 0);
    ours = base::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(ours.get(), raw, length), 0);
    theirs = base::UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    base::set_nonblocking(ours.get());
    number = ours.get();
    closes_of_nothing = 0;
  }
  // Leaves a reset behind, which the other end meets when it writes.
  void reset_theirs() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(theirs.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    theirs.reset();
  }
  bool is_open() const { return ::fcntl(number, F_GETFD) >= 0; }

  base::UniqueFd ours, theirs;
  int number = -1;
  CancelSignal cancel{std::stop_token()};
  Patience patience{base::Clock::now() + base::seconds(5), &cancel};
  SessionOptions options{.host = "web1",
                         .port = 22,
                         .user = "admin",
                         .key_exchange = {},
                         .ciphers = {},
                         .macs = {},
                         .host_key_algorithms = {},
                         .public_key_algorithms = {}};
};

TEST_F(SessionSockets, OneThatNeverGreetedClosesItsSocketOnce) {
  { const Session session(std::move(ours), options); }
  EXPECT_FALSE(is_open());
  EXPECT_EQ(closes_of_nothing, 0);
}

TEST_F(SessionSockets, OneThatEndsInOrderClosesItsSocketOnce) {
  ASSERT_EQ(::send(theirs.get(), "SSH-2.0-test\r\n", 14, 0), 14);
  {
    Session session(std::move(ours), options);
    EXPECT_EQ(session.greet(patience), Session::Greeting::ssh);
  }
  EXPECT_FALSE(is_open());
  EXPECT_EQ(closes_of_nothing, 0);
}

TEST_F(SessionSockets, OneThatCannotSayGoodbyeClosesItsSocketOnce) {
  ASSERT_EQ(::send(theirs.get(), "SSH-2.0-test\r\n", 14, 0), 14);
  {
    Session session(std::move(ours), options);
    EXPECT_EQ(session.greet(patience), Session::Greeting::ssh);
    // Its key exchange begins, and waits until the server's is there.
    const Patience little{base::Clock::now() + base::milliseconds(200), &cancel};
    EXPECT_TRUE(failure_of([&] { session.exchange_keys(little); }).is(Code::timeout, ""));
    reset_theirs();
  }
  EXPECT_FALSE(is_open());
  EXPECT_EQ(closes_of_nothing, 0);
}

TEST_F(SessionSockets, OneThatTheServerEndedClosesItsSocketOnce) {
  ASSERT_EQ(::send(theirs.get(), "SSH-2.0-test\r\n", 14, 0), 14);
  {
    Session session(std::move(ours), options);
    EXPECT_EQ(session.greet(patience), Session::Greeting::ssh);
    theirs.reset();
    EXPECT_TRUE(failure_of([&] { session.exchange_keys(patience); }).is(Code::unreachable, ""));
  }
  EXPECT_FALSE(is_open());
  EXPECT_EQ(closes_of_nothing, 0);
}

struct Greetings : SessionSockets {
  void TearDown() override { before_connect = nullptr; }
  // As behind a jump host.
  void use_a_socket_pair() {
    auto pair = base::make_socket_pair(SOCK_NONBLOCK);
    ours = std::move(pair.one);
    theirs = std::move(pair.other);
  }
  void say(std::string_view text) {
    EXPECT_EQ(::send(theirs.get(), text.data(), text.size(), MSG_NOSIGNAL), std::ssize(text));
  }
  Session::Greeting greeting() {
    Session session(std::move(ours), options);
    return session.greet(patience);
  }
  // The server says it and goes, before we say anything.
  Session::Greeting greeting_of_one_that_left(std::string_view text) {
    say(text);
    theirs.reset();
    return greeting();
  }
  // The server says it in the moment in which libssh begins.
  Session::Greeting greeting_that_arrives(std::string_view text) {
    before_connect = [this, text] {
      say(text);
      ::shutdown(theirs.get(), SHUT_WR);
    };
    return greeting();
  }
};

TEST_F(Greetings, OneThatLeftWasHeard) {
  EXPECT_EQ(greeting_of_one_that_left("Not allowed at this time\r\n"), Session::Greeting::penalised);
}
TEST_F(Greetings, OneThatLeftBehindAJumpHostWasHeard) {
  use_a_socket_pair();
  EXPECT_EQ(greeting_of_one_that_left("Not allowed at this time\r\n"), Session::Greeting::penalised);
}
TEST_F(Greetings, OneThatLeftWithoutAWordDroppedUs) {
  EXPECT_EQ(greeting_of_one_that_left(""), Session::Greeting::dropped);
}
TEST_F(Greetings, OneThatLeftWithoutAWordBehindAJumpHostDroppedUs) {
  use_a_socket_pair();
  EXPECT_EQ(greeting_of_one_that_left(""), Session::Greeting::dropped);
}
TEST_F(Greetings, APenaltyIsHeardWheneverItArrives) {
  EXPECT_EQ(greeting_that_arrives("Not allowed at this time\r\n"), Session::Greeting::penalised);
}
TEST_F(Greetings, ThatSlotsAreShortIsHeardWheneverItArrives) {
  EXPECT_EQ(greeting_that_arrives("Exceeded MaxStartups\r\n"), Session::Greeting::too_many_startups);
}
TEST_F(Greetings, AnSshServerIsHeardWheneverItArrives) {
  EXPECT_EQ(greeting_that_arrives("SSH-2.0-test\r\n"), Session::Greeting::ssh);
}
TEST_F(Greetings, LinesBeforeTheIdentificationAreSkipped) {
  EXPECT_EQ(greeting_that_arrives("a notice of the owner\r\nSSH-2.0-test\r\n"), Session::Greeting::ssh);
}
TEST_F(Greetings, WhatIsNoSshServerIsNamedAtOnce) {
  EXPECT_TRUE(failure_of([&] {
                greeting_that_arrives("HTTP/1.1 400 Bad Request\r\n\r\n");
              }).is(Code::unreachable, "\"HTTP/1.1 400 Bad Request\""));
}
TEST_F(Greetings, OurIdentificationIsAllThatIsSent) {
  before_connect = [this] { say("SSH-2.0-test\r\n"); };
  Session session(std::move(ours), options);
  EXPECT_EQ(session.greet(patience), Session::Greeting::ssh);
  std::array<char, 1000> heard{};
  const auto length = ::recv(theirs.get(), heard.data(), heard.size(), 0);
  ASSERT_GT(length, 0);
  const std::string_view text(heard.data(), static_cast<std::size_t>(length));
  EXPECT_TRUE(text.starts_with("SSH-2.0-") && text.ends_with("\r\n")) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

}  // namespace
}  // namespace muster::ssh
