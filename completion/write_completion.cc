// write-completion SHELL TEMPLATE FILE: writes FILE, which is TEMPLATE with the line `@TABLES@` replaced by the tables
// of commands, verbs and options, as SHELL (bash or zsh) reads them. Runs while muster is built, and is not installed.
#include <algorithm>
#include <cctype>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>

#include "cli/option_table.h"
#include "cli/verb_table.h"

namespace muster::completion {
namespace {

using cli::command_rows;
using cli::CommandRow;
using cli::option_rows;
using cli::OptionRow;
using cli::Takes;
using cli::VerbRow;

std::string in_quotes(std::string_view text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

bool takes_next_word(const OptionRow& option) { return option.takes == Takes::value || option.takes == Takes::list; }

// The words of a value that can only be one of these, separated by blanks, `port:` where a value follows it; empty for
// any other.
std::string choices(const OptionRow& option) {
  std::string words(option.value);
  if (words.ends_with(":N")) words.pop_back();
  const bool any_upper = std::any_of(words.begin(), words.end(), [](unsigned char c) { return std::isupper(c) != 0; });
  if (any_upper || words.find('|') == std::string::npos) return "";
  std::replace(words.begin(), words.end(), '|', ' ');
  return words;
}

// What the scripts know to complete: file, directory, pattern, user, nothing, or words to choose from.
std::string kind(const OptionRow& option) {
  if (option.value == "FILE" || option.value.ends_with("FILE|DIR")) return "file";
  if (option.value == "DIR" || option.value == "REPO") return "directory";
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

bool has(const VerbRow& verb, const OptionRow& option) {
  return (option.commands & cli::find_command(verb.command)->bit) != 0 && cli::takes(verb, option);
}

// `vm start`, the key of a verb in the tables.
std::string key_of(const VerbRow& verb) { return std::string(verb.command) + " " + std::string(verb.name); }

std::string bash_options(const std::function<bool(const OptionRow&)>& wanted) {
  std::string names;
  for (const auto& option : option_rows()) {
    if (!wanted(option)) continue;
    if (option.letter != 0) names += std::string("-") + option.letter + " ";
    names += "--" + std::string(option.name) + " ";
  }
  names.pop_back();
  return in_quotes(names);
}

std::function<bool(const OptionRow&)> of_all(cli::CommandSet commands) {
  return [commands](const OptionRow& option) { return (option.commands & commands) == commands; };
}

// The verbs of each command that has some.
std::string bash_verbs() {
  std::string verbs;
  for (const auto& command : command_rows()) {
    if (!cli::has_verbs(command.name)) continue;
    std::string names;
    for (const auto& verb : cli::verb_rows())
      if (verb.command == command.name) names += (names.empty() ? "" : " ") + std::string(verb.name);
    verbs += "  [" + std::string(command.name) + "]=" + in_quotes(names) + "\n";
  }
  return verbs;
}

std::string bash_tables() {
  cli::CommandSet every = 0;
  std::string options, next, optional, arguments;
  for (const auto& command : command_rows()) {
    every |= command.bit;
    options += "  [" + std::string(command.name) + "]=" + bash_options(of_all(command.bit)) + "\n";
  }
  for (const auto& verb : cli::verb_rows()) {
    options +=
        "  ['" + key_of(verb) + "']=" + bash_options([&](const OptionRow& option) { return has(verb, option); }) + "\n";
    arguments += "  ['" + key_of(verb) + "']=" + in_quotes(verb.arguments) + "\n";
  }
  for (const auto& option : option_rows()) {
    if (option.takes == Takes::nothing) continue;
    const std::string value = "]=" + in_quotes(kind(option)) + "\n";
    std::string& table = takes_next_word(option) ? next : optional;
    table += "  [--" + std::string(option.name) + value;
    if (option.letter != 0) table += std::string("  [-") + option.letter + value;
  }
  return "_muster_commands=" + in_quotes(command_names()) +
         "\n# The verbs of commands that have some, and what follows each.\n" + "declare -gA _muster_verbs=(\n" +
         bash_verbs() + ")\ndeclare -gA _muster_arguments=(\n" + arguments +
         ")\n# The options of each command and verb, and of every one.\n" + "declare -gA _muster_options=(\n" +
         options + "  [help]=''\n  [every]=" + bash_options(of_all(every)) + "\n)\n" +
         "# What follows an option: in the next word or after `=`, or after `=` only.\n" +
         "declare -gA _muster_values=(\n" + next + ")\ndeclare -gA _muster_optional_values=(\n" + optional + ")\n";
}

// Colons separate the parts of what _arguments reads.
std::string zsh_part(std::string_view text) {
  std::string part;
  for (const char c : text) part += c == ':' ? std::string("\\:") : std::string(1, c);
  return part;
}

// What is explained ends at a bracket.
std::string zsh_explanation(std::string_view text) {
  std::string all = "[";
  for (const char c : text) all += c == '[' || c == ']' ? std::string("\\") + c : std::string(1, c);
  return all + "]";
}

std::string zsh_action(const OptionRow& option) {
  const std::string what = kind(option);
  if (what == "file") return "_files";
  if (what == "directory") return "_files -/";
  if (what == "pattern") return "_muster_pattern";
  if (what == "user") return "_users";
  return what == "nothing" ? " " : "(" + zsh_part(choices(option)) + ")";
}

// As _arguments wants it: one for the long form, one for the letter, which exclude each other.
std::string zsh_specs(const OptionRow& option) {
  const std::string name = "--" + std::string(option.name);
  const std::string letter = option.letter == 0 ? "" : std::string("-") + option.letter;
  std::string lead = option.takes == Takes::list ? "*" : "";
  if (lead.empty() && !letter.empty()) lead = "(" + letter + " " + name + ")";
  std::string help = zsh_explanation(option.help), long_end, letter_end;
  if (takes_next_word(option)) {
    long_end = "=", letter_end = "+";
    help += ":" + zsh_part(option.value) + ":" + zsh_action(option);
  } else if (option.takes == Takes::optional_value) {
    long_end = "=-";
    help += "::" + std::string(option.value) + ":" + zsh_action(option);
  }
  std::string specs = "      " + in_quotes(lead + name + long_end + help) + "\n";
  if (!letter.empty()) specs += "      " + in_quotes(lead + letter + letter_end + help) + "\n";
  return specs;
}

std::string zsh_specs_for(const std::function<bool(const OptionRow&)>& wanted) {
  std::string specs;
  for (const auto& option : option_rows())
    if (wanted(option)) specs += zsh_specs(option);
  return specs;
}

// One case of _muster_specs_of.
std::string zsh_case(const std::string& key, const std::string& specs) {
  return "    (" + key + ") _muster_specs=(\n" + specs + "    ) ;;\n";
}

std::string zsh_tables() {
  cli::CommandSet every = 0;
  std::string commands, cases, next, verbs, arguments;
  for (const auto& command : command_rows()) {
    every |= command.bit;
    commands += "  " + in_quotes(std::string(command.name) + ":" + std::string(command.summary)) + "\n";
    cases += zsh_case(std::string(command.name), zsh_specs_for(of_all(command.bit)));
  }
  for (const auto& verb : cli::verb_rows()) {
    verbs += "  " + in_quotes(key_of(verb) + ":" + std::string(verb.summary)) + "\n";
    arguments += "  " + in_quotes(key_of(verb)) + " " + in_quotes(verb.arguments) + "\n";
    cases +=
        zsh_case(in_quotes(key_of(verb)), zsh_specs_for([&](const OptionRow& option) { return has(verb, option); }));
  }
  for (const auto& option : option_rows()) {
    if (!takes_next_word(option)) continue;
    next += " --" + std::string(option.name);
    if (option.letter != 0) next += std::string(" -") + option.letter;
  }
  return "typeset -ga _muster_commands=(\n" + commands + "  'help:the manual page of a command'\n)\n" +
         "# Verbs with their commands, and what follows each.\ntypeset -ga _muster_verbs=(\n" + verbs +
         ")\ntypeset -gA _muster_arguments=(\n" + arguments + ")\n" +
         "# What takes its value from the next word, unless it stands after `=`.\n" +
         "typeset -ga _muster_with_value=(" + next + " )\n_muster_specs_of() {\n  case $1 in\n" + cases +
         "    (help) _muster_specs=() ;;\n    (*) _muster_specs=(\n" + zsh_specs_for(of_all(every)) +
         "    ) ;;\n  esac\n}\n";
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
