// Splits text into words as a POSIX shell does: blanks, quotes, backslashes; no expansion. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::inventory {

// nullopt where a quote is not closed or a backslash ends the text.
std::optional<std::vector<std::string>> split_shell_words(std::string_view text);

}  // namespace muster::inventory
