// What a host or group may be called, and a host's name with a port after it. Internal to inventory/. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "inventory/inventory.h"

namespace muster::inventory {

inline constexpr std::size_t kMaxNameBytes = 255;

// Why `name` cannot be the name of a host or group, with what to write instead; nothing if it can. Names end up in
// command lines and as file names, so what a shell or a path would read differently is barred in both dialects.
std::optional<std::string> name_problem(std::string_view name);

// `localhost`, `127.0.0.1`, `::1`: the names that stand for this machine also where no inventory has them.
bool names_localhost(std::string_view name);

// A host name or IP address, with Ansible's `[a:b]` ranges in any part and `:PORT` after it. This decides whether a
// colon in a pattern separates terms.
bool is_address(std::string_view text);

struct HostKey {
  std::string_view names;  // what is left: one name, or several with ranges
  std::optional<std::uint32_t> port;
};

// Takes `:PORT` off a host's key. An IPv6 address needs brackets then: `[fe80::1]:2222`.
HostKey split_host_key(std::string_view key, Dialect dialect);

}  // namespace muster::inventory
