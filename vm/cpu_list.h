// Lists of host CPUs as the kernel writes them: `0-3,8`. Pure functions.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace muster::vm {

// Numbers below 4096. Throws base::Error{usage}.
std::set<unsigned> parse_cpu_list(std::string_view text);
std::string format_cpu_list(const std::set<unsigned>& cpus);

}  // namespace muster::vm
