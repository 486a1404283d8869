// Host names to socket addresses, with a deadline: getaddrinfo has none, so it runs in threads of its own, whose
// answers are kept for the life of the Resolver. They are few, unless names hang: then others get more. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/socket.h>

#include "parallel-ssh/address_family.h"
#include "parallel-ssh/wait.h"

namespace muster::ssh {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  std::string text;  // numeric, without port
};

struct Answer {
  std::vector<Address> addresses;
  std::string error;  // not empty: why there are none
};

class Resolver {
 public:
  // Finds the addresses of a name, without port, however long it takes. Called by many threads.
  using LookUp = std::function<Answer(const std::string& name, AddressFamily family)>;
  static Answer system_look_up(const std::string& name, AddressFamily family);

  explicit Resolver(LookUp look_up = system_look_up);
  // Does not wait for a look-up that hangs: its thread ends by itself, or with the process.
  ~Resolver();

  // All addresses in the order to try them, with `port`. A numeric address is answered at once.
  // Throws base::Error{unreachable} for a name that has none, {timeout}, {cancelled}.
  std::vector<Address> resolve(const std::string& name, std::uint16_t port, AddressFamily family,
                               const Patience& patience);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace muster::ssh
