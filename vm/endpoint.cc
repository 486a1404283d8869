#include "vm/endpoint.h"

#include <arpa/inet.h>

#include "base/error.h"
#include "base/quantity.h"

namespace muster::vm {
namespace {

bool is_numeric(const std::string& address) {
  in6_addr room{};
  return ::inet_pton(AF_INET, address.c_str(), &room) == 1 || ::inet_pton(AF_INET6, address.c_str(), &room) == 1;
}

}  // namespace

Endpoint parse_endpoint(const std::string& text) {
  Endpoint endpoint{.host = text};
  const std::size_t colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  const bool only_address = !bracketed && colon != text.find(':');
  if (colon != std::string::npos && !only_address && !text.ends_with(']')) {
    endpoint.host = text.substr(0, colon);
    endpoint.port = static_cast<std::uint16_t>(base::parse_integer(text.substr(colon + 1), 1, 65535, "port"));
  }
  if (bracketed && endpoint.host.ends_with(']')) endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
  if (!is_numeric(endpoint.host))
    throw base::Error(base::Code::usage, "address '" + endpoint.host + "': write a numeric one, as 192.0.2.7:22");
  return endpoint;
}

}  // namespace muster::vm
