// OpenSSH's patterns, as ssh_config and known_hosts use them: `*`, `?`, lists between commas, `!` to exclude.
// Comparison is by bytes; whoever wants it without case lowers both sides. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace muster::ssh {

// Time is bounded by the product of the lengths, whatever the number of stars.
bool matches_pattern(std::string_view pattern, std::string_view text);

// An exclusion wins over everything else in its list.
enum class ListMatch { none, included, excluded };
ListMatch match_list(std::string_view patterns, std::string_view text);

}  // namespace muster::ssh
