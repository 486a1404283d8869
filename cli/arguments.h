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

// Throws base::Error{usage} for a verb that the command does not have, or an option that the verb does not take.
// Nothing for a command without verbs.
void check_verb(const CommandRow& command, const Arguments& arguments);

// The text of `--help`: of the verb among `words`, if there is one.
std::string help_text(const CommandRow& command, const std::vector<std::string>& words = {});

}  // namespace muster::cli
