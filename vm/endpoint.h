// Where a server listens. A value; nothing is asked.
#pragma once

#include <cstdint>
#include <string>

namespace muster::vm {

struct Endpoint {
  std::string host;  // numeric address, IPv4 or IPv6, or a name
  std::uint16_t port = 22;
};

// `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT`, numeric. Throws base::Error{usage}.
Endpoint parse_endpoint(const std::string& text);

}  // namespace muster::vm
