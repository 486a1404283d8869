#include "parallel-ssh/resolver.h"

#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include "base/error.h"

namespace muster::ssh {
namespace {

using base::Code;
using base::Error;

constexpr int kMaxThreads = 8;

std::string numeric(const sockaddr* address, socklen_t length) {
  char text[NI_MAXHOST] = "";
  ::getnameinfo(address, length, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  return text;
}

struct Answer {
  std::vector<Address> addresses;
  std::string error;
  bool done = false;
};

int family_number(AddressFamily family) {
  return family == AddressFamily::inet ? AF_INET : family == AddressFamily::inet6 ? AF_INET6 : AF_UNSPEC;
}

Answer look_up(const std::string& name, AddressFamily family, int flags) {
  addrinfo hints{};
  hints.ai_family = family_number(family);
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
  Answer answer{.addresses = {}, .error = {}, .done = true};
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
  std::map<Key, Answer> answers;
  std::deque<Key> waiting;
  int threads = 0;

  void serve() {
    std::unique_lock lock(mutex);
    while (!waiting.empty()) {
      const Key key = waiting.front();
      waiting.pop_front();
      lock.unlock();
      Answer answer = look_up(key.first, key.second, AI_ADDRCONFIG);
      lock.lock();
      answers[key] = std::move(answer);
      changed.notify_all();
    }
    --threads;
  }

  // With the lock held and `key` waiting last.
  static void start_thread(const std::shared_ptr<State>& state, const Key& key) {
    try {
      // Detached, the one thread here that is: getaddrinfo can neither be cancelled nor given a deadline.
      std::thread([state] { state->serve(); }).detach();
      ++state->threads;
    } catch (const std::system_error& e) {
      if (state->threads > 0) return;  // the others come to it
      state->waiting.pop_back();
      state->answers.erase(key);
      throw Error(Code::io, "resolve '" + key.first + "': start a thread: " + e.what());
    }
  }
};

Resolver::Resolver() : state_(std::make_shared<State>()) {}
Resolver::~Resolver() = default;

std::vector<Address> Resolver::resolve(const std::string& name, std::uint16_t port, AddressFamily family,
                                       const Patience& patience) {
  if (const Answer numeric_answer = look_up(name, family, AI_NUMERICHOST); numeric_answer.error.empty())
    return with_port(numeric_answer.addresses, port);

  const State::Key key(name, family);
  std::unique_lock lock(state_->mutex);
  if (!state_->answers.contains(key)) {
    state_->answers[key] = {};
    state_->waiting.push_back(key);
    if (state_->threads < kMaxThreads) State::start_thread(state_, key);
  }
  const bool answered = state_->changed.wait_until(lock, patience.cancel->token(), patience.deadline,
                                                   [&] { return state_->answers[key].done; });
  if (patience.cancel->raised()) throw Error(Code::cancelled, "interrupted resolving '" + name + "'");
  if (!answered) throw Error(Code::timeout, "timed out resolving '" + name + "'");
  const Answer& answer = state_->answers[key];
  if (!answer.error.empty()) throw Error(Code::unreachable, answer.error);
  return with_port(answer.addresses, port);
}

}  // namespace muster::ssh
