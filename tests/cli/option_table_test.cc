#include "cli/option_table.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace muster::cli {
namespace {

TEST(OptionTable, NamesAreUniqueAndWellFormed) {
  std::set<std::string_view> names;
  for (const OptionRow& option : option_rows()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_TRUE(std::all_of(option.name.begin(), option.name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || c == '-';
    })) << option.name;
    EXPECT_FALSE(option.help.empty()) << option.name;
    EXPECT_EQ(option.value.empty(), option.takes == Takes::nothing) << option.name;
    EXPECT_EQ(find_option(option.name), &option);
  }
}

// In all commands together: the dispatcher skips options before it knows the command.
TEST(OptionTable, LettersAreUnique) {
  std::set<char> letters;
  for (const OptionRow& option : option_rows()) {
    if (option.letter == '\0') continue;
    EXPECT_TRUE(letters.insert(option.letter).second) << option.letter;
    EXPECT_EQ(find_option(option.letter), &option);
  }
  EXPECT_EQ(find_option('\0'), nullptr);
  EXPECT_EQ(find_option('Z'), nullptr);
  EXPECT_EQ(find_option("no-such-option"), nullptr);
}

TEST(OptionTable, EachCommandHasItsOwnBitAndEachOptionACommand) {
  CommandSet all = 0;
  std::set<std::string_view> names;
  for (const CommandRow& command : command_rows()) {
    EXPECT_EQ(command.bit & (command.bit - 1), 0U) << command.name;
    EXPECT_EQ(all & command.bit, 0U) << command.name;
    all |= command.bit;
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    EXPECT_EQ(find_command(command.name), &command);
    EXPECT_FALSE(command.summary.empty());
  }
  for (const OptionRow& option : option_rows()) EXPECT_NE(option.commands & all, 0U) << option.name;
  EXPECT_EQ(find_command("nothing"), nullptr);
}

TEST(OptionTable, NamesElsewhereFollowFromTheOptions) {
  EXPECT_EQ(environment_name(*find_option("connect-timeout")), "MUSTER_CONNECT_TIMEOUT");
  EXPECT_EQ(configuration_key(*find_option("connect-timeout")), "connect_timeout");
}

// What could harm from afar is asked for each time.
TEST(OptionTable, SafetyAndSecretsAreNotConfigured) {
  for (const auto* name : {"expect", "dry-run", "stdin", "script", "ask-pass", "ask-sudo-pass", "json"})
    EXPECT_FALSE(find_option(name)->configurable) << name;
}

}  // namespace
}  // namespace muster::cli
