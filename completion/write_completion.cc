// write-completion SHELL TEMPLATE FILE: writes FILE, which is TEMPLATE with the line `@TABLES@` replaced by the tables
// of commands and options, as SHELL (bash or zsh) reads them. Runs while muster is built, and is not installed.
#include <algorithm>
#include <cctype>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

#include "cli/option_table.h"

namespace muster::completion {
namespace {

using cli::command_rows;
using cli::CommandRow;
using cli::option_rows;
using cli::OptionRow;
using cli::Takes;

std::string quoted(std::string_view text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

bool takes_next_word(const OptionRow& option) { return option.takes == Takes::value || option.takes == Takes::list; }

// The words of a value that can only be one of these, separated by blanks; empty for any other.
std::string choices(const OptionRow& option) {
  std::string words(option.value);
  const bool any_upper = std::any_of(words.begin(), words.end(), [](unsigned char c) { return std::isupper(c) != 0; });
  if (any_upper || words.find('|') == std::string::npos) return "";
  std::replace(words.begin(), words.end(), '|', ' ');
  return words;
}

// What the scripts know to complete: file, directory, pattern, user, nothing, or words to choose from.
std::string kind(const OptionRow& option) {
  if (option.value == "FILE" || option.value == "FILE|DIR") return "file";
  if (option.value == "DIR") return "directory";
  if (option.value == "PATTERN|@FILE") return "pattern";
  if (option.value == "USER" || option.value == "NAME") return "user";
  const std::string words = choices(option);
  return words.empty() ? "nothing" : "one of " + words;
}

std::string command_names() {
  std::string names;
  for (const auto& command : command_rows()) names += std::string(command.name) + " ";
  return names + "help";
}

std::string bash_options(cli::CommandSet all_of) {
  std::string names;
  for (const auto& option : option_rows()) {
    if ((option.commands & all_of) != all_of) continue;
    if (option.letter != 0) names += std::string("-") + option.letter + " ";
    names += "--" + std::string(option.name) + " ";
  }
  names.pop_back();
  return quoted(names);
}

std::string bash_tables() {
  cli::CommandSet every = 0;
  std::string options, next, optional;
  for (const auto& command : command_rows()) {
    every |= command.bit;
    options += "  [" + std::string(command.name) + "]=" + bash_options(command.bit) + "\n";
  }
  for (const auto& option : option_rows()) {
    if (option.takes == Takes::nothing) continue;
    const std::string value = "]=" + quoted(kind(option)) + "\n";
    std::string& table = takes_next_word(option) ? next : optional;
    table += "  [--" + std::string(option.name) + value;
    if (option.letter != 0) table += std::string("  [-") + option.letter + value;
  }
  return "_muster_commands=" + quoted(command_names()) + "\n# The options of each command, and of every one.\n" +
         "declare -gA _muster_options=(\n" + options + "  [help]=''\n  [every]=" + bash_options(every) + "\n)\n" +
         "# What follows an option: in the next word or after `=`, or after `=` only.\n" +
         "declare -gA _muster_values=(\n" + next + ")\ndeclare -gA _muster_optional_values=(\n" + optional + ")\n";
}

std::string zsh_action(const OptionRow& option) {
  const std::string what = kind(option);
  if (what == "file") return "_files";
  if (what == "directory") return "_files -/";
  if (what == "pattern") return "_muster_pattern";
  if (what == "user") return "_users";
  return what == "nothing" ? " " : "(" + choices(option) + ")";
}

// As _arguments wants it: one for the long form, one for the letter, which exclude each other.
std::string zsh_specs(const OptionRow& option) {
  const std::string name = "--" + std::string(option.name);
  const std::string letter = option.letter == 0 ? "" : std::string("-") + option.letter;
  std::string lead = option.takes == Takes::list ? "*" : "";
  if (lead.empty() && !letter.empty()) lead = "(" + letter + " " + name + ")";
  std::string help = "[" + std::string(option.help) + "]", long_end, letter_end;
  if (takes_next_word(option)) {
    long_end = "=", letter_end = "+";
    help += ":" + std::string(option.value) + ":" + zsh_action(option);
  } else if (option.takes == Takes::optional_value) {
    long_end = "=-";
    help += "::" + std::string(option.value) + ":" + zsh_action(option);
  }
  std::string specs = "      " + quoted(lead + name + long_end + help) + "\n";
  if (!letter.empty()) specs += "      " + quoted(lead + letter + letter_end + help) + "\n";
  return specs;
}

std::string zsh_specs_for(cli::CommandSet all_of) {
  std::string specs;
  for (const auto& option : option_rows())
    if ((option.commands & all_of) == all_of) specs += zsh_specs(option);
  return specs;
}

std::string zsh_tables() {
  cli::CommandSet every = 0;
  std::string commands, cases, next;
  for (const auto& command : command_rows()) {
    every |= command.bit;
    commands += "  " + quoted(std::string(command.name) + ":" + std::string(command.summary)) + "\n";
    cases += "    (" + std::string(command.name) + ") _muster_specs=(\n" + zsh_specs_for(command.bit) + "    ) ;;\n";
  }
  for (const auto& option : option_rows()) {
    if (!takes_next_word(option)) continue;
    next += " --" + std::string(option.name);
    if (option.letter != 0) next += std::string(" -") + option.letter;
  }
  return "typeset -ga _muster_commands=(\n" + commands + "  'help:the manual page of a command'\n)\n" +
         "# What takes its value from the next word, unless it stands after `=`.\n" +
         "typeset -ga _muster_with_value=(" + next + " )\n_muster_specs_of() {\n  case $1 in\n" + cases +
         "    (help) _muster_specs=() ;;\n    (*) _muster_specs=(\n" + zsh_specs_for(every) + "    ) ;;\n  esac\n}\n";
}

bool write(const std::string& tables, const std::string& from, const std::string& to) {
  std::ifstream in(from);
  std::ofstream out(to);
  bool found = false;
  for (std::string line; std::getline(in, line);) {
    found = found || line == "@TABLES@";
    out << (line == "@TABLES@" ? tables : line + "\n");
  }
  out.close();
  return found && out.good();
}

}  // namespace
}  // namespace muster::completion

int main(int argc, char** argv) {
  using namespace muster::completion;
  const std::string shell = argc == 4 ? argv[1] : "";
  if (shell != "bash" && shell != "zsh") {
    std::cerr << "usage: write-completion bash|zsh TEMPLATE FILE\n";
    return 2;
  }
  if (write(shell == "bash" ? bash_tables() : zsh_tables(), argv[2], argv[3])) return 0;
  std::cerr << "write-completion: cannot make " << argv[3] << " of " << argv[2] << "\n";
  return 1;
}
