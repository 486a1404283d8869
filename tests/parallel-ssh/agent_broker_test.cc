#include "parallel-ssh/agent_broker.h"

#include <cstring>
#include <functional>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::milliseconds;
using base::seconds;

constexpr char kFailure = 5, kRequestIdentities = 11, kIdentitiesAnswer = 12, kSignRequest = 13, kSignResponse = 14;

std::string u32(std::size_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xFF);
  return text;
}
std::string string_of(const std::string& text) { return u32(text.size()) + text; }
std::string type(char number) { return {number}; }
std::string sign_request(const std::string& blob) {
  return type(kSignRequest) + string_of(blob) + string_of("data") + u32(0);
}
std::string identities(const std::vector<AgentKey>& keys) {
  std::string text = type(kIdentitiesAnswer) + u32(keys.size());
  for (const auto& key : keys) text += string_of(key.blob) + string_of(key.comment);
  return text;
}

// Exactly `count` bytes, or what there is before the end or 30 seconds.
std::string read_bytes(int fd, std::size_t count) {
  std::string text(count, '\0');
  std::size_t have = 0;
  while (have < count) {
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 30'000) <= 0) break;
    const ssize_t n = ::read(fd, text.data() + have, count - have);
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  text.resize(have);
  return text;
}

std::string receive(int fd) {
  const std::string length = read_bytes(fd, 4);
  if (length.size() < 4) return {};
  std::size_t count = 0;
  for (const char c : length) count = count << 8 | static_cast<unsigned char>(c);
  return read_bytes(fd, count);
}

std::string ask(const base::UniqueFd& line, const std::string& message) {
  base::write_all(line.get(), string_of(message));
  return receive(line.get());
}

// An agent that answers each message as it is told; nullopt hangs up, an empty text stays silent.
class FakeAgent {
 public:
  using Answer = std::function<std::optional<std::string>(const std::string& message)>;

  FakeAgent(std::string path, Answer answer)
      : path_(std::move(path)), answer_(std::move(answer)), fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd_.get(), 8) != 0)
      base::throw_errno("listen at " + path_);
    thread_ = std::jthread([this] {
      for (;;) {
        const base::UniqueFd peer(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!peer) return;
        serve(peer.get());
      }
    });
  }
  FakeAgent(const FakeAgent&) = delete;
  FakeAgent& operator=(const FakeAgent&) = delete;
  ~FakeAgent() { ::shutdown(fd_.get(), SHUT_RDWR); }  // ends accept, as closing does not

  const std::string& path() const { return path_; }

 private:
  void serve(int peer) const {
    for (;;) {
      const std::string message = receive(peer);
      if (message.empty()) return;
      const auto answer = answer_(message);
      if (!answer) return;
      const std::string& bytes = *answer;
      if (!bytes.empty() && ::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return;
    }
  }

  std::string path_;
  Answer answer_;
  base::UniqueFd fd_;
  std::jthread thread_;
};

struct AgentBrokerTest : testing::Test {
  FileTree tree;
  std::string socket = tree.path("agent");

  std::string key(const std::string& name) const {
    make_key(tree.path(name), "ed25519");
    return tree.path(name);
  }
};

TEST_F(AgentBrokerTest, ListsTheAgentsKeysInItsOrder) {
  RealAgent agent(socket);
  agent.add(key("one"));
  agent.add(key("two"));
  const AgentBroker broker(socket);
  ASSERT_EQ(broker.keys().size(), 2U);
  EXPECT_EQ(broker.keys()[0].comment, "comment");
  for (const auto& each : broker.keys()) EXPECT_TRUE(broker.holds(each.blob));
  EXPECT_FALSE(broker.holds("other"));
  const std::string line = base::read_file(tree.path("one.pub"), 1000);
  EXPECT_NE(line.find(base::base64_encode(broker.keys()[0].blob)), std::string::npos);
}

TEST_F(AgentBrokerTest, ALineKnowsItsOneKeyAndSignsWithNoOther) {
  RealAgent agent(socket);
  agent.add(key("one"));
  agent.add(key("two"));
  AgentBroker broker(socket);
  const auto& mine = broker.keys()[1];
  const auto line = broker.open_line(mine.blob);
  EXPECT_EQ(ask(line, type(kRequestIdentities)), identities({mine}));
  EXPECT_EQ(ask(line, sign_request(mine.blob)).substr(0, 1), type(kSignResponse));
  EXPECT_EQ(ask(line, sign_request(broker.keys()[0].blob)), type(kFailure));
  EXPECT_EQ(ask(line, type(kSignRequest)), type(kFailure));
  // Nothing else gets through: removing all keys (19), above all.
  EXPECT_EQ(ask(line, type(19)), type(kFailure));
  EXPECT_EQ(AgentBroker(socket).keys().size(), 2U);
}

TEST_F(AgentBrokerTest, ALineForAKeyItDoesNotHoldIsEmpty) {
  RealAgent agent(socket);
  agent.add(key("one"));
  AgentBroker broker(socket);
  EXPECT_EQ(ask(broker.open_line("other"), type(kRequestIdentities)), identities({}));
}

TEST_F(AgentBrokerTest, ManyLinesAtOnceAreAllServed) {
  RealAgent agent(socket);
  agent.add(key("one"));
  AgentBroker broker(socket);
  std::atomic<int> answered = 0;
  {
    std::vector<std::jthread> sessions;
    for (int i = 0; i < 24; ++i)
      sessions.emplace_back([&] {
        const auto line = broker.open_line(broker.keys()[0].blob);
        if (ask(line, sign_request(broker.keys()[0].blob)).starts_with(type(kSignResponse))) ++answered;
      });
  }
  EXPECT_EQ(answered, 24);
}

TEST_F(AgentBrokerTest, AnAgentThatDiesFailsTheRequestAndIsFoundAgainWhenItIsBack) {
  key("one");
  std::optional<RealAgent> agent(std::in_place, socket);
  agent->add(tree.path("one"));
  AgentBroker broker(socket);
  const auto blob = broker.keys()[0].blob;
  const auto line = broker.open_line(blob);
  agent->stop();
  EXPECT_EQ(ask(line, sign_request(blob)), type(kFailure));
  EXPECT_EQ(ask(line, sign_request(blob)), type(kFailure));
  agent.emplace(socket);
  agent->add(tree.path("one"));
  EXPECT_EQ(ask(line, sign_request(blob)).substr(0, 1), type(kSignResponse));
}

TEST_F(AgentBrokerTest, NoAgentIsUnreachableByName) {
  const auto failure = failure_of([&] { AgentBroker{socket}; });
  EXPECT_TRUE(failure.is(Code::unreachable, "ssh agent at " + socket)) << failure;
  const auto long_path = failure_of([] { AgentBroker{"/tmp/" + std::string(120, 'x')}; });
  EXPECT_TRUE(long_path.is(Code::usage, "too long")) << long_path;
}

TEST_F(AgentBrokerTest, AnAgentThatDoesNotListItsKeysInTimeIsGivenUp) {
  const FakeAgent silent(socket, [](const std::string&) { return ""; });
  const auto start = Clock::now();
  const auto failure = failure_of([&] { AgentBroker(silent.path(), milliseconds(100)); });
  EXPECT_TRUE(failure.is(Code::timeout, "does not list its keys")) << failure;
  EXPECT_LT(Clock::now() - start, seconds(9));
}

// Stopped, with others waiting before us: even connecting takes for ever.
TEST_F(AgentBrokerTest, AnAgentThatAcceptsNobodyIsGivenUp) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
  const base::UniqueFd stopped(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(stopped.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(stopped.get(), 0), 0);
  const base::UniqueFd other(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const auto failure = failure_of([&] { AgentBroker(socket, milliseconds(100)); });
  EXPECT_TRUE(failure.is(Code::unreachable, "ssh agent at " + socket)) << failure;
}

TEST_F(AgentBrokerTest, NonsenseForAListIsAnErrorOrAnEmptyList) {
  for (const std::string& answer :
       {string_of(type(kFailure)), u32(0), u32(0xFFFFFFFF) + "x", u32(300'000) + std::string(300'000, 'x')}) {
    const FakeAgent strange(socket, [&](const std::string&) { return answer; });
    const auto failure = failure_of([&] { AgentBroker(socket, seconds(5)); });
    EXPECT_TRUE(failure.is(Code::timeout, "does not list its keys")) << failure;
    std::filesystem::remove(socket);
  }
  const FakeAgent cut(socket, [](const std::string&) {
    return string_of(type(kIdentitiesAnswer) + u32(0xFFFFFFFF) + string_of("blob") + string_of("comment") + u32(9));
  });
  EXPECT_EQ(AgentBroker(socket).keys().size(), 1U);
}

// Answers the list and keeps silent for the first signature; the late answer must not become the second one's.
TEST_F(AgentBrokerTest, AHungSignatureFailsAndTheNextGoesOverANewConnection) {
  std::atomic<int> signatures = 0;
  const FakeAgent agent(socket, [&](const std::string& message) -> std::string {
    if (message[0] == kRequestIdentities) return string_of(identities({{"blob", "comment"}}));
    return ++signatures == 1 ? "" : string_of(type(kSignResponse) + "second");
  });
  AgentBroker broker(socket, milliseconds(100));
  const auto line = broker.open_line("blob");
  EXPECT_EQ(ask(line, sign_request("blob")), type(kFailure));
  EXPECT_EQ(ask(line, sign_request("blob")), type(kSignResponse) + "second");
}

TEST_F(AgentBrokerTest, AnAgentThatHangsCostsEachLineItsOwnTime) {
  const FakeAgent agent(socket, [&](const std::string& message) -> std::string {
    return message[0] == kRequestIdentities ? string_of(identities({{"blob", "comment"}})) : "";
  });
  const CancelSignal never{std::stop_token()};
  std::stop_source source;
  const CancelSignal cancel(source.get_token());
  AgentBroker broker(socket, seconds(20));
  const auto start = base::Clock::now();
  const auto soon = broker.open_line("blob", Patience{start + milliseconds(200), &never});
  const auto queued = broker.open_line("blob", Patience{start + milliseconds(400), &never});
  base::write_all(soon.get(), string_of(sign_request("blob")));
  base::write_all(queued.get(), string_of(sign_request("blob")));
  EXPECT_EQ(read_to_end(soon.get()), "");
  EXPECT_EQ(read_to_end(queued.get()), "");
  const auto cancelled = broker.open_line("blob", Patience{start + seconds(60), &cancel});
  base::write_all(cancelled.get(), string_of(sign_request("blob")));
  source.request_stop();
  EXPECT_EQ(read_to_end(cancelled.get()), "");
  EXPECT_LT(base::Clock::now() - start, seconds(5));
}

TEST_F(AgentBrokerTest, AHugeAnswerFailsTheSignature) {
  const FakeAgent agent(socket, [&](const std::string& message) -> std::string {
    if (message[0] == kRequestIdentities) return string_of(identities({{"blob", "comment"}}));
    return u32(1U << 30) + "x";
  });
  AgentBroker broker(socket, seconds(20));
  EXPECT_EQ(ask(broker.open_line("blob"), sign_request("blob")), type(kFailure));
}

TEST_F(AgentBrokerTest, AHugeOrEmptyRequestClosesItsLineAlone) {
  RealAgent agent(socket);
  agent.add(key("one"));
  AgentBroker broker(socket);
  const auto huge = broker.open_line("x"), empty = broker.open_line("x"),
             good = broker.open_line(broker.keys()[0].blob);
  base::write_all(huge.get(), u32(0x7FFFFFFF));
  EXPECT_EQ(read_to_end(huge.get()), "");
  base::write_all(empty.get(), u32(0));
  EXPECT_EQ(read_to_end(empty.get()), "");
  EXPECT_EQ(ask(good, type(kRequestIdentities)), identities({broker.keys()[0]}));
}

}  // namespace
}  // namespace muster::ssh
