#include "tests/e2e/inventory_file.h"

#include <algorithm>
#include <cctype>

namespace muster::e2e {
namespace {

bool is_number(const std::string& value) {
  return !value.empty() &&
         std::all_of(value.begin(), value.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::string scalar(const std::string& value) {
  if (is_number(value)) return value;
  std::string quoted = "'";
  for (const char c : value) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

Host& Host::set(const std::string& variable, const std::string& value) {
  unset(variable).variables.emplace_back(variable, value);
  return *this;
}

Host& Host::unset(const std::string& variable) {
  std::erase_if(variables, [&](const auto& entry) { return entry.first == variable; });
  return *this;
}

Host host_at(const Endpoint& endpoint, const std::string& name) {
  return {.name = name, .variables = {{"address", endpoint.address}, {"port", std::to_string(endpoint.port)}}};
}

Host host_on(const SshServer& server, const std::string& name) {
  return host_at(server.endpoint(), name).set("host_key", server.host_key());
}

std::string inventory_text(const std::vector<Host>& hosts) {
  std::string text = "all:\n  hosts:\n";
  for (const auto& host : hosts) {
    text += "    " + host.name + ":\n";
    for (const auto& [variable, value] : host.variables) text += "      " + variable + ": " + scalar(value) + '\n';
  }
  return text;
}

}  // namespace muster::e2e
