#include "cli/arguments.h"

#include <algorithm>

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include "base/error.h"
#include "cli/verb_table.h"
#include "inventory/close_names.h"

namespace muster::cli {
namespace {

namespace po = boost::program_options;
using base::Code;
using base::Error;

constexpr const char* kWord = "word";

po::options_description describe(const CommandRow& command) {
  po::options_description description;
  auto add = description.add_options();
  for (const OptionRow& row : option_rows()) {
    if ((row.commands & command.bit) == 0) continue;
    const std::string names = std::string(row.name) + (row.letter == 0 ? "" : std::string(",") + row.letter);
    switch (row.takes) {
      case Takes::nothing:
        add(names.c_str(), "");
        break;
      case Takes::value:
      case Takes::list:
        add(names.c_str(), po::value<std::vector<std::string>>());
        break;
      case Takes::optional_value:
        add(names.c_str(), "");
        add((std::string(row.name) + "=").c_str(), po::value<std::vector<std::string>>());
        break;
    }
  }
  add(kWord, po::value<std::vector<std::string>>());
  return description;
}

// `--sudo=web`, as the option named `sudo=`: program_options would let an optional value also take the next word, which
// is the host pattern more often than not.
std::pair<std::string, std::string> split_optional_value(const CommandRow& command, const std::string& word) {
  const std::size_t equals = word.find('=');
  if (!word.starts_with("--") || equals == std::string::npos) return {};
  const OptionRow* row = find_option(std::string_view(word).substr(2, equals - 2));
  if (row == nullptr || row->takes != Takes::optional_value || (row->commands & command.bit) == 0) return {};
  if (equals + 1 == word.size())
    throw po::error(fmt::format("--{}= has no value: leave out the equals sign, or write one", row->name));
  return {std::string(row->name) + "=", word.substr(equals + 1)};
}

// `--boot web01` of a verb that always has that value, as `--boot=web01`.
void join_values(const CommandRow& command, std::vector<std::string>& words) {
  const VerbRow* verb = nullptr;
  for (const auto& word : words)
    if (verb == nullptr) verb = find_verb(command.name, word);
  for (std::size_t i = 0; verb != nullptr && i < words.size(); ++i) {
    if (!words[i].starts_with("--")) continue;
    const OptionRow* row = find_option(std::string_view(words[i]).substr(2));
    if (row == nullptr || !takes_next_word(*verb, *row)) continue;
    if (i + 1 == words.size() || words[i + 1].starts_with("-"))
      throw po::error(fmt::format("the required argument for option '{}' is missing", words[i]));
    words[i] += "=" + words[i + 1];
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  }
}

// `-10G` is a size: no option's letter is a digit.
bool is_size_taken_away(const CommandRow& command, const std::string& word) {
  return command.bit == kDisks && word.size() > 1 && word[0] == '-' && word[1] >= '0' && word[1] <= '9';
}

// Words that belong to muster before those of the other side's command begin.
std::size_t own_words(const CommandRow& command) { return (command.bit & (kRun | kSsh)) != 0 ? 1 : SIZE_MAX; }

std::string mend_message(const CommandRow& command, const std::string& text) {
  const std::string hint =
      (command.bit & (kRun | kSsh)) != 0
          ? fmt::format("; what belongs to the remote command goes after `--` (muster {} {})", command.name,
                        command.name == "run" ? "PATTERN -- COMMAND..." : "HOST -- COMMAND...")
          : fmt::format("; see muster {} --help", command.name);
  return text + hint;
}

void check_placement(const CommandRow& command, const po::option& option, bool separator_given, Arguments& arguments) {
  if (separator_given || arguments.words.size() <= own_words(command)) return;
  const std::string written =
      option.original_tokens.empty() ? "--" + option.string_key + option.value.front() : option.original_tokens.front();
  if (!written.starts_with("--"))
    throw Error(Code::usage, mend_message(command, fmt::format("option {} after the remote command", written)));
  arguments.notes.push_back(
      fmt::format("{} is read as muster's option; put -- before the command to pass it on", written));
}

void add_option(const po::option& option, Arguments& arguments) {
  const std::string name = option.string_key.substr(0, option.string_key.find('='));
  const OptionRow* row = find_option(name);
  if (row == nullptr) throw po::unknown_option("--" + name);  // the one that stands for words
  auto& values = arguments.options[name];
  values.insert(values.end(), option.value.begin(), option.value.end());
  // One that takes a single value: later wins.
  if (row->takes != Takes::list && values.size() > 1) values.erase(values.begin(), values.end() - 1);
}

[[noreturn]] void throw_no_verb(const CommandRow& command, const std::string& word) {
  inventory::CloseNames close(word);
  for (const VerbRow& row : verb_rows())
    if (row.command == command.name) close.consider(row.name);
  const std::string suggestion = close.suggestion();
  throw Error(Code::usage, fmt::format("no verb '{}'{} muster {} --help lists them", word,
                                       suggestion.empty() ? ":" : suggestion, command.name));
}

// What is too long for its column has a line for itself.
std::string help_row(const std::string& what, std::size_t width, std::string_view meaning) {
  if (what.size() <= width) return fmt::format("  {:<{}}  {}\n", what, width, meaning);
  return fmt::format("  {}\n  {:<{}}  {}\n", what, "", width, meaning);
}

}  // namespace

Arguments parse_arguments(const CommandRow& command, int argc, const char* const* argv) {
  std::vector<std::string> before(argv + 1, argv + argc), after;
  const auto separator = std::find(before.begin(), before.end(), "--");
  const bool separator_given = separator != before.end();
  if (separator_given) {
    after.assign(separator + 1, before.end());
    before.erase(separator, before.end());
  }
  const auto description = describe(command);
  const auto positional = po::positional_options_description().add(kWord, -1);
  Arguments arguments;
  try {
    namespace style = po::command_line_style;
    join_values(command, before);
    const auto parsed = po::command_line_parser(before)
                            .options(description)
                            .positional(positional)
                            .extra_parser([&](const std::string& word) {
                              return is_size_taken_away(command, word) ? std::pair(std::string(kWord), word)
                                                                       : split_optional_value(command, word);
                            })
                            .style(style::unix_style & ~style::allow_guessing)
                            .run();
    for (const auto& option : parsed.options) {
      const bool size = option.string_key == kWord && is_size_taken_away(command, option.value.front());
      if (option.position_key >= 0 || size) {
        arguments.words.insert(arguments.words.end(), option.value.begin(), option.value.end());
        continue;
      }
      check_placement(command, option, separator_given, arguments);
      add_option(option, arguments);
    }
  } catch (const po::error& e) {
    throw Error(Code::usage, mend_message(command, e.what()));
  }
  arguments.words.insert(arguments.words.end(), after.begin(), after.end());
  return arguments;
}

void check_verb(const CommandRow& command, const Arguments& arguments) {
  if (!has_verbs(command.name) || arguments.words.empty()) return;
  const VerbRow* verb = find_verb(command.name, arguments.words.front());
  if (verb == nullptr) throw_no_verb(command, arguments.words.front());
  for (const auto& [name, values] : arguments.options)
    if (const OptionRow* option = find_option(name); option != nullptr && !takes(*verb, *option))
      throw Error(Code::usage,
                  fmt::format("--{} is not for muster {} {}; see its --help", name, command.name, verb->name));
}

std::string help_text(const CommandRow& command, const std::vector<std::string>& words) {
  const VerbRow* verb = words.empty() ? nullptr : find_verb(command.name, words.front());
  std::string text = verb != nullptr ? fmt::format("usage: muster {} {} [OPTION]... {}\n\n{}\n\n", command.name,
                                                   verb->name, verb->arguments, verb->summary)
                                     : fmt::format("usage: muster {} [OPTION]... {}\n\n{}\n\n", command.name,
                                                   command.arguments, command.summary);
  if (verb == nullptr && has_verbs(command.name)) {
    for (const VerbRow& row : verb_rows())
      if (row.command == command.name) text += help_row(fmt::format("{} {}", row.name, row.arguments), 34, row.summary);
    text += fmt::format("\nmuster {} VERB --help lists the verb's own options; those of all:\n\n", command.name);
  }
  for (const OptionRow& row : option_rows()) {
    if ((row.commands & command.bit) == 0) continue;
    if (has_verbs(command.name) && (verb != nullptr ? !takes(*verb, row) : !is_general(command.name, row))) continue;
    const std::string letter = row.letter == 0 ? "    " : fmt::format("-{}, ", row.letter);
    const std::string value = row.takes == Takes::nothing                      ? ""
                              : verb != nullptr && takes_next_word(*verb, row) ? fmt::format(" {}", row.value)
                              : row.takes == Takes::optional_value             ? fmt::format("[={}]", row.value)
                                                                               : fmt::format(" {}", row.value);
    text += help_row(fmt::format("{}--{}{}", letter, row.name, value), 38, row.help);
  }
  return text + fmt::format("\nOptions may stand anywhere before `--`. Whole story: man muster-{}\n", command.name);
}

}  // namespace muster::cli
