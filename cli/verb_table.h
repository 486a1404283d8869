// The second word of commands that have many: `muster vm start`. One table, for the check of options, for
// `muster vm VERB --help`, and for completion.
#pragma once

#include <span>
#include <string_view>

#include "cli/option_table.h"

namespace muster::cli {

struct VerbRow {
  std::string_view command;  // the CommandRow's name
  std::string_view name;
  std::string_view arguments;
  std::string_view summary;
  // Its own, by name, separated by blanks; every verb has those of is_general(). `NAME=`: one whose value is optional
  // elsewhere, and is the next word here.
  std::string_view options;
};
std::span<const VerbRow> verb_rows();
const VerbRow* find_verb(std::string_view command, std::string_view name);
bool has_verbs(std::string_view command);

// An option that every verb of the command takes: one that none of them names.
bool is_general(std::string_view command, const OptionRow& option);
bool takes(const VerbRow& verb, const OptionRow& option);
bool takes_next_word(const VerbRow& verb, const OptionRow& option);

}  // namespace muster::cli
