// Lines of ssh_config(5) into words: OpenSSH has two ways, one for keywords and Match, another for values.
// Internal to the ssh_config reader. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::ssh {

// Takes the next word off `rest`, with blanks and at most one `=` after it: a keyword, or a word of a Match line. A
// word may stand in double quotes, without escapes. nullopt at the end; an empty word is `""`. Throws
// base::Error{usage} for a missing quote.
std::optional<std::string> take_word(std::string_view& rest);

// All words of a value. Both quotes, a backslash before a quote, a backslash or (outside quotes) a blank; a word that
// begins with `#` ends the line. Throws base::Error{usage} for a missing quote.
std::vector<std::string> split_values(std::string_view rest);

// Without blanks, carriage returns and form feeds around it.
std::string_view trim_line(std::string_view line);

}  // namespace muster::ssh
