#include "parallel-ssh/resolver.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include "base/error.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::Code;
using base::Error;

constexpr int kUsualThreads = 8;
constexpr int kMostThreads = 512;
// After this time in the queue another thread is started: the names before it hang.
constexpr std::chrono::milliseconds kQueuePatience{250};

std::string numeric(const sockaddr* address, socklen_t length) {
  char text[NI_MAXHOST] = "";
  ::getnameinfo(address, length, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  return text;
}

int family_number(AddressFamily family) {
  return family == AddressFamily::inet ? AF_INET : family == AddressFamily::inet6 ? AF_INET6 : AF_UNSPEC;
}

Answer address_info(const std::string& name, AddressFamily family, int flags) {
  addrinfo hints{};
  hints.ai_family = family_number(family);
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
  Answer answer;
  if (error != 0) {
    answer.error = "cannot resolve '" + name + "': " + ::gai_strerror(error);
    return answer;
  }
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    Address address;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.length = entry->ai_addrlen;
    address.text = numeric(entry->ai_addr, entry->ai_addrlen);
    answer.addresses.push_back(std::move(address));
  }
  ::freeaddrinfo(list);
  return answer;
}

std::vector<Address> with_port(std::vector<Address> addresses, std::uint16_t port) {
  for (auto& address : addresses) {
    if (address.storage.ss_family == AF_INET)
      reinterpret_cast<sockaddr_in&>(address.storage).sin_port = htons(port);
    else
      reinterpret_cast<sockaddr_in6&>(address.storage).sin6_port = htons(port);
  }
  return addresses;
}

}  // namespace

// Shared with the threads, so that one stuck in getaddrinfo never touches a destroyed Resolver.
struct Resolver::State {
  using Key = std::pair<std::string, AddressFamily>;
  std::mutex mutex;
  std::condition_variable_any changed;
  LookUp look_up;
  std::map<Key, std::optional<Answer>> answers;
  std::deque<Key> waiting;
  int threads = 0;

  bool waits(const Key& key) const { return std::find(waiting.begin(), waiting.end(), key) != waiting.end(); }

  void serve() {
    std::unique_lock lock(mutex);
    while (!waiting.empty()) {
      const Key key = waiting.front();
      waiting.pop_front();
      lock.unlock();
      Answer answer = look_up(key.first, key.second);
      lock.lock();
      answers[key] = std::move(answer);
      changed.notify_all();
    }
    --threads;
  }

  // With the lock held and `key` waiting.
  static void start_thread(const std::shared_ptr<State>& state, const Key& key) {
    try {
      // Detached, the one thread here that is: getaddrinfo can neither be cancelled nor given a deadline.
      std::thread([state] { state->serve(); }).detach();
      ++state->threads;
    } catch (const std::system_error& e) {
      if (state->threads > 0) return;  // the others come to it
      std::erase(state->waiting, key);
      state->answers.erase(key);
      throw Error(Code::io, "resolve '" + key.first + "': start a thread: " + e.what());
    }
  }
};

Answer Resolver::system_look_up(const std::string& name, AddressFamily family) {
  return address_info(name, family, AI_ADDRCONFIG);
}

Resolver::Resolver(LookUp look_up) : state_(std::make_shared<State>()) { state_->look_up = std::move(look_up); }
Resolver::~Resolver() = default;

std::vector<Address> Resolver::resolve(const std::string& name, std::uint16_t port, AddressFamily family,
                                       const Patience& patience) {
  if (const Answer numeric_answer = address_info(name, family, AI_NUMERICHOST); numeric_answer.error.empty())
    return with_port(numeric_answer.addresses, port);

  const State::Key key(name, family);
  std::unique_lock lock(state_->mutex);
  if (state_->answers.try_emplace(key).second) {
    state_->waiting.push_back(key);
    if (state_->threads < kUsualThreads) State::start_thread(state_, key);
  }
  const auto& answer = state_->answers[key];
  const auto over = [&] { return answer || patience.cancel->raised() || Clock::now() >= patience.deadline; };
  while (!over()) {
    const auto until = std::min(Clock::now() + kQueuePatience, patience.deadline);
    state_->changed.wait_until(lock, patience.cancel->token(), until, [&] { return answer.has_value(); });
    if (!over() && state_->waits(key) && state_->threads < kMostThreads) State::start_thread(state_, key);
  }
  if (patience.cancel->raised()) throw Error(Code::cancelled, "interrupted resolving '" + name + "'");
  if (!answer) throw Error(Code::timeout, "timed out resolving '" + name + "'");
  if (!answer->error.empty()) throw Error(Code::unreachable, answer->error);
  return with_port(answer->addresses, port);
}

}  // namespace muster::ssh
