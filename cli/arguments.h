// A command line, cut into options and words by the option table. What an option means is settings.h's business.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/option_table.h"

namespace muster::cli {

struct Arguments {
  std::map<std::string, std::vector<std::string>, std::less<>> options;  // by long name; a flag has no values
  std::vector<std::string> words;                                        // all that is no option, `--` left out
  std::vector<std::string> notes;                                        // worth telling the user
};

// `command` is the row of the program. For `run` and `ssh`, whose words end in a command for somebody else: without
// `--`, a short option after that command's first word is refused, since it is most likely meant for the other side,
// and a long one is muster's, with a note. Throws base::Error{usage}.
Arguments parse_arguments(const CommandRow& command, int argc, const char* const* argv);

// The text of `--help`.
std::string help_text(const CommandRow& command);

}  // namespace muster::cli
