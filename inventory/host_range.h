// Ranges in host names: Ansible's `web[01:10:2]`, `[a:f]`, and ClusterShell's `web[01-10]`, `[1,3-5]`, `[0-8/2]`.
// Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace muster::inventory {

inline constexpr std::size_t kMaxRangeHosts = 1'000'000;

enum class RangeSyntax {
  ansible,  // colons only: as inventory files under ansible-strict
  both,     // colons, or ClusterShell's dashes, commas and steps after `/`
};

// Every name that `text` stands for, several ranges expanding like nested loops, the last fastest. A name without
// brackets is itself. Every bracket is a range, as for Ansible: whoever means a glob's asks before calling this.
// A backward range of numbers is an error, under `ansible` an empty result. Throws base::Error{usage} for a malformed
// range or more than kMaxRangeHosts names.
std::vector<std::string> expand_ranges(std::string_view text, RangeSyntax syntax);

}  // namespace muster::inventory
