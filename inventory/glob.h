// Shell patterns as Python's fnmatch reads them, which Ansible uses: `*`, `?`, `[a-z]`, `[!a-z]`, no escapes. Differs
// from fnmatch(3) in `\`, `[^a]` and `[:class:]`. Pure functions.
#pragma once

#include <string_view>

namespace muster::inventory {

// Whether `pattern` matches all of `text`. Never worse than the product of both lengths.
bool glob_matches(std::string_view pattern, std::string_view text);

// Whether `pattern` has a character that makes it more than a name.
inline bool is_glob(std::string_view pattern) { return pattern.find_first_of("*?[") != std::string_view::npos; }

}  // namespace muster::inventory
