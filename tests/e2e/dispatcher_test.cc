// `muster` itself, which finds the command's program and becomes it.
#include "cli/option_table.h"
#include "tests/e2e/end_to_end.h"

namespace muster::e2e {
namespace {

Finished muster(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv{program("muster")};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run({.argv = argv});
}

TEST(Dispatcher, ListsEveryCommandAndStartsItsProgram) {
  const auto overview = muster({"--help"});
  EXPECT_EQ(overview.code, 0);
  for (const auto& command : cli::command_rows()) {
    const std::string name(command.name);
    EXPECT_TRUE(contains(overview.out, "\n  " + name + " ")) << name;
    const auto help = muster({name, "--help"});
    EXPECT_EQ(help.code, 0) << told(help);
    EXPECT_TRUE(help.out.starts_with("usage: muster " + name + " ")) << told(help);
  }
}

TEST(Dispatcher, FindsTheCommandBehindOptionsAndTheirValues) {
  for (const auto& words : std::vector<std::vector<std::string>>{{"-i", "run", "ping", "--help"},
                                                                 {"--inventory=run", "-qi", "run", "ping", "--help"},
                                                                 {"--no-color", "--help", "ping"},
                                                                 {"--fanout", "3", "-f4", "ping", "-h"}}) {
    const auto help = muster(words);
    EXPECT_TRUE(help.out.starts_with("usage: muster ping ")) << told(help);
  }
}

TEST(Dispatcher, WhatIsNoCommandIsAnErrorThatNamesThem) {
  const auto unknown = muster({"pnig", "web"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_EQ(unknown.out, "");
  EXPECT_TRUE(contains(unknown.err, "no command 'pnig'; the commands are: run ping")) << told(unknown);
  EXPECT_EQ(muster({}).code, 2);
  EXPECT_EQ(muster({"--", "ping"}).code, 2);
}

}  // namespace
}  // namespace muster::e2e
