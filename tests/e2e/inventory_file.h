// Inventories of tests, from lines the test writes or from servers it started. Pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/ssh_server.h"

namespace muster::e2e {

struct Host {
  std::string name;
  std::vector<std::pair<std::string, std::string>> variables = {};

  // Adds or replaces.
  Host& set(const std::string& variable, const std::string& value);
  Host& unset(const std::string& variable);
};

// Address, port and pinned key of `server`; user and identity are the caller's.
Host host_on(const SshServer& server, const std::string& name);
Host host_at(const Endpoint& endpoint, const std::string& name);

// One group `all` with these hosts in this order; values are quoted.
std::string inventory_text(const std::vector<Host>& hosts);

}  // namespace muster::e2e
