#include "cli/arguments.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cli/verb_table.h"
#include "tests/parallel-ssh/support.h"

namespace muster::cli {
namespace {

using base::Code;
using ssh::failure_of;
using Words = std::vector<std::string>;

Arguments parse(std::string_view command, const std::vector<const char*>& words) {
  std::vector<const char*> argv{"muster"};
  argv.insert(argv.end(), words.begin(), words.end());
  return parse_arguments(*find_command(command), static_cast<int>(argv.size()), argv.data());
}
std::string refusal(std::string_view command, const std::vector<const char*>& words) {
  const auto failure = failure_of([&] { parse(command, words); });
  if (!failure.code) return "no error";
  return (failure.code == Code::usage ? "" : "not a usage error: ") + failure.text;
}
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// A flag of one verb, and a value of another.
TEST(Arguments, AVerbMayAlwaysTakeAValueThatIsOptionalElsewhere) {
  for (const auto& words : std::vector<std::vector<const char*>>{{"serve", "web01@latest", "--boot", "web02"},
                                                                 {"serve", "--boot", "web02", "web01@latest"},
                                                                 {"--boot=web02", "serve", "web01@latest"}}) {
    const auto arguments = parse("backup", words);
    EXPECT_EQ(arguments.words, (Words{"serve", "web01@latest"}));
    EXPECT_EQ(arguments.options.at("boot"), Words{"web02"});
  }
  const auto flag = parse("backup", {"check", "--boot", "web01@latest"});
  EXPECT_EQ(flag.words, (Words{"check", "web01@latest"}));
  EXPECT_TRUE(flag.options.at("boot").empty());
  EXPECT_TRUE(contains(refusal("backup", {"serve", "web01@latest", "--boot"}), "--boot' is missing"));
  EXPECT_TRUE(contains(refusal("backup", {"serve", "--boot", "--json", "web01@latest"}), "--boot' is missing"));
}

TEST(Arguments, OptionsMayStandAnywhereBeforeTheSeparator) {
  for (const auto& words : std::vector<std::vector<const char*>>{{"--fanout", "8", "--json", "web"},
                                                                 {"--fanout=8", "web", "--json"},
                                                                 {"web", "--json", "-f", "8"},
                                                                 {"-f8", "web", "--json"}}) {
    const auto arguments = parse("ping", words);
    EXPECT_EQ(arguments.words, Words{"web"});
    EXPECT_EQ(arguments.options.at("fanout"), Words{"8"});
    EXPECT_TRUE(arguments.options.at("json").empty());
    EXPECT_TRUE(arguments.notes.empty());
  }
}

TEST(Arguments, LettersCluster) {
  const auto arguments = parse("run", {"-qbf8", "-vl", "db", "web", "uptime"});
  for (const auto* flag : {"quiet", "gather", "verbose"}) EXPECT_TRUE(arguments.options.contains(flag)) << flag;
  EXPECT_EQ(arguments.options.at("fanout"), Words{"8"});
  EXPECT_EQ(arguments.options.at("limit"), Words{"db"});
  EXPECT_EQ(arguments.words, (Words{"web", "uptime"}));
}

TEST(Arguments, OfOneValueTheLastWinsAndListsKeepAll) {
  const auto arguments = parse("ping", {"-f", "1", "-i", "a", "--fanout", "2", "--inventory=b", "web"});
  EXPECT_EQ(arguments.options.at("fanout"), Words{"2"});
  EXPECT_EQ(arguments.options.at("inventory"), (Words{"a", "b"}));
}

TEST(Arguments, AnOptionalValueIsOnlyTakenWithAnEqualsSign) {
  const auto without = parse("run", {"--sudo", "web", "id"});
  EXPECT_TRUE(without.options.at("sudo").empty());
  EXPECT_EQ(without.words, (Words{"web", "id"}));
  EXPECT_EQ(parse("run", {"--sudo=www", "web", "id"}).options.at("sudo"), Words{"www"});
  EXPECT_EQ(parse("run", {"--sudo=www", "--sudo=db", "web", "id"}).options.at("sudo"), Words{"db"});
  EXPECT_EQ(parse("run", {"web", "id", "--sudo=a=b"}).options.at("sudo"), Words{"a=b"});
  EXPECT_TRUE(contains(refusal("run", {"--sudo=", "web", "id"}), "--sudo= has no value"));
  EXPECT_TRUE(contains(refusal("ping", {"--sudo=www", "web"}), "--sudo"));
}

TEST(Arguments, BehindTheSeparatorEverythingIsAWord) {
  const auto arguments = parse("run", {"--json", "web", "--", "ls", "-l", "--fanout", "--", ""});
  EXPECT_EQ(arguments.words, (Words{"web", "ls", "-l", "--fanout", "--", ""}));
  EXPECT_EQ(arguments.options.size(), 1U);
  EXPECT_TRUE(arguments.notes.empty());
}

TEST(Arguments, WordsStayAsTheyAre) {
  EXPECT_EQ(parse("run", {"web", "echo a  b", "", "-", "*"}).words, (Words{"web", "echo a  b", "", "-", "*"}));
  EXPECT_TRUE(parse("ping", {}).words.empty());
}

TEST(Arguments, AShortOptionOfTheRemoteCommandIsRefused) {
  for (const auto* command : {"run", "ssh"}) {
    const auto text = refusal(command, {"web", "ls", "-v"});
    EXPECT_TRUE(contains(text, "option -v after the remote command")) << text;
    EXPECT_TRUE(contains(text, "goes after `--`")) << text;
  }
  // One muster does not have, or that lacks its value here, leads to the same advice.
  EXPECT_TRUE(contains(refusal("run", {"web", "ls", "-la"}), "PATTERN -- COMMAND..."));
  EXPECT_TRUE(contains(refusal("run", {"web", "ls", "-x"}), "PATTERN -- COMMAND..."));
  EXPECT_TRUE(contains(refusal("ssh", {"web", "ls", "-x"}), "HOST -- COMMAND..."));
}

TEST(Arguments, ALongOptionAfterTheRemoteCommandIsOursWithANote) {
  const auto arguments = parse("run", {"web", "systemctl", "status", "--json"});
  EXPECT_TRUE(arguments.options.contains("json"));
  EXPECT_EQ(arguments.words, (Words{"web", "systemctl", "status"}));
  ASSERT_EQ(arguments.notes.size(), 1U);
  EXPECT_EQ(arguments.notes[0], "--json is read as muster's option; put -- before the command to pass it on");
}

TEST(Arguments, BetweenPatternAndCommandOptionsAreOurs) {
  const auto arguments = parse("run", {"web", "-b", "--json", "uptime"});
  EXPECT_TRUE(arguments.options.contains("gather"));
  EXPECT_TRUE(arguments.notes.empty());
  EXPECT_EQ(parse("run", {"web", "uptime", "-b", "--", "x"}).words, (Words{"web", "uptime", "x"}));
}

TEST(Arguments, ForOtherCommandsOptionsMayComeLast) {
  const auto arguments = parse("inventory", {"list", "web", "-q", "--fold"});
  EXPECT_EQ(arguments.words, (Words{"list", "web"}));
  EXPECT_TRUE(arguments.options.contains("fold"));
  EXPECT_TRUE(arguments.notes.empty());
}

TEST(Arguments, AnUnknownOptionIsNamedWithWhereToLook) {
  const auto text = refusal("ping", {"--fanuot", "8", "web"});
  EXPECT_TRUE(contains(text, "--fanuot")) << text;
  EXPECT_TRUE(contains(text, "; see muster ping --help")) << text;
  EXPECT_TRUE(contains(refusal("ping", {"-Z", "web"}), "-Z"));
  // One of another command is as unknown.
  EXPECT_TRUE(contains(refusal("ping", {"--sudo", "web"}), "--sudo"));
}

TEST(Arguments, NoAbbreviationsAndNoNamesThatAreNoOptions) {
  EXPECT_TRUE(contains(refusal("ping", {"--fan", "8", "web"}), "--fan"));
  EXPECT_TRUE(contains(refusal("ping", {"--word", "web"}), "--word"));
  EXPECT_TRUE(contains(refusal("ping", {"--word=web"}), "--word"));
}

TEST(Arguments, AMissingOrSuperfluousValueIsAnError) {
  EXPECT_TRUE(contains(refusal("ping", {"web", "--fanout"}), "--fanout"));
  EXPECT_TRUE(contains(refusal("ping", {"web", "--json=yes"}), "--json"));
}

bool names_option(const std::string& help, const OptionRow& option) {
  const std::string name = "--" + std::string(option.name);
  return contains(help, name + " ") || contains(help, name + "[=");
}

TEST(Help, NamesEveryOptionOfTheCommandAndNoOther) {
  for (const CommandRow& command : command_rows()) {
    const std::string text = help_text(command);
    EXPECT_TRUE(contains(text, "usage: muster " + std::string(command.name))) << text;
    for (const OptionRow& option : option_rows()) {
      const bool ours =
          (option.commands & command.bit) != 0 && (!has_verbs(command.name) || is_general(command.name, option));
      EXPECT_EQ(names_option(text, option), ours) << command.name << " " << option.name;
    }
  }
}

TEST(Help, OfAVerbNamesItsOwnOptionsToo) {
  for (const VerbRow& verb : verb_rows()) {
    const CommandRow& command = *find_command(verb.command);
    const std::string text = help_text(command, {std::string(verb.name)});
    EXPECT_TRUE(contains(text, fmt::format("usage: muster {} {}", verb.command, verb.name))) << text;
    EXPECT_TRUE(contains(help_text(command), fmt::format("\n  {} ", verb.name))) << verb.name;
    for (const OptionRow& option : option_rows()) {
      const bool ours = (option.commands & command.bit) != 0 && takes(verb, option);
      EXPECT_EQ(names_option(text, option), ours) << verb.name << " " << option.name;
    }
  }
}

TEST(Verbs, WhatIsNoneOrHasNoSuchOptionIsUsage) {
  const CommandRow& vm = *find_command("vm");
  const auto refusal = [&](std::vector<const char*> argv) {
    argv.insert(argv.begin(), "muster-vm");
    return ssh::failure_of([&] { check_verb(vm, parse_arguments(vm, static_cast<int>(argv.size()), argv.data())); });
  };
  EXPECT_FALSE(refusal({"start", "web", "--paused"}).code);
  EXPECT_TRUE(refusal({"fly", "web"}).is(base::Code::usage, "no verb 'fly'"));
  EXPECT_TRUE(refusal({"pasue", "web"}).is(base::Code::usage, "did you mean 'pause'? muster vm --help"));
  EXPECT_TRUE(refusal({"pause", "web", "--paused"}).is(base::Code::usage, "--paused is not for muster vm pause"));
}

}  // namespace
}  // namespace muster::cli
