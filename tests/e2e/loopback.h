// Addresses and ports on loopback that no other test uses, and an address that swallows connections. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace muster::e2e {

struct Endpoint {
  std::string address;  // dotted
  std::uint16_t port = 0;
};

// 127.a.b.c, made from the process id and a counter: tests running side by side do not meet.
std::string fresh_address();

// A TCP port nobody has on `address` now.
std::uint16_t free_port(const std::string& address);

// A listening socket on a fresh address, `backlog` as listen(2) takes it; accepting is the caller's.
struct Listener {
  base::UniqueFd fd;
  Endpoint endpoint;
};
Listener listen_on_fresh_address(int backlog);

// Blocks up to the kernel's own timeout. An empty UniqueFd if refused.
base::UniqueFd connect_to(const Endpoint& endpoint);

// Drops every SYN, as a firewall that says nothing: a listening socket whose queue is full.
class BlackHole {
 public:
  BlackHole();
  const Endpoint& endpoint() const { return listener_.endpoint; }

 private:
  Listener listener_;
  std::vector<base::UniqueFd> fill_;
};

}  // namespace muster::e2e
