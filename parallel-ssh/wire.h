// Numbers and strings as SSH's protocols, agents and key files have them (RFC 4251, section 5): four bytes, most
// significant first, and bytes after their count. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace muster::ssh {

void put_u32(std::string& out, std::size_t value);
void put_string(std::string& out, std::string_view text);

// Take from the beginning of `in`; nullopt, and `in` is of no more use: there is not as much.
std::optional<std::size_t> take_u32(std::string_view& in);
std::optional<std::string> take_string(std::string_view& in);

}  // namespace muster::ssh
