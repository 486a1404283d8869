#include "cli/settings.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/parallel-ssh/support.h"

namespace muster::cli {
namespace {

using base::Code;
using std::chrono::milliseconds;
using Words = std::vector<std::string>;

// A variable for one test. Set and taken away while there is one thread.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { ::unsetenv(name_); }

 private:
  const char* name_;
};

struct SettingsTest : testing::Test {
  inventory::FileTree tree;

  Settings read(const std::map<std::string, Words, std::less<>>& options = {}, std::string_view command = "run") const {
    return {*find_command(command),
            Arguments{.options = options, .words = {}, .notes = {}},
            {tree.path("first"), tree.path("second"), tree.path("missing")}};
  }
  std::string error() const {
    const auto failure = ssh::failure_of([&] { read(); });
    return failure.code == Code::usage ? failure.text : "no usage error: " + failure.text;
  }
};

TEST_F(SettingsTest, LaterFilesThenVariablesThenOptionsWin) {
  EXPECT_EQ(read().text("user"), std::nullopt);
  tree.add("first", "user: one\nport: 1\n");
  EXPECT_EQ(read().text("user"), "one");
  tree.add("second", "user: two\n");
  EXPECT_EQ(read().text("user"), "two");
  EXPECT_EQ(read().integer("port", 1, 9), 1);
  EXPECT_TRUE(read().given("user"));
  EXPECT_FALSE(read().given_now("user"));
  const Variable variable("MUSTER_USER", "variable");
  EXPECT_EQ(read().text("user"), "variable");
  EXPECT_TRUE(read().given_now("user"));
  EXPECT_EQ(read({{"user", {"option"}}}).text("user"), "option");
  EXPECT_EQ(read({{"user", {"option"}}}).source("user"), Settings::Source::option);
  EXPECT_EQ(read().source("user"), Settings::Source::variable);
  EXPECT_EQ(read().source("port"), Settings::Source::file);
  EXPECT_EQ(read().source("key"), Settings::Source::none);
}

TEST_F(SettingsTest, AnEmptyVariableIsNone) {
  tree.add("first", "user: file\n");
  const Variable variable("MUSTER_USER", "");
  EXPECT_EQ(read().text("user"), "file");
}

TEST_F(SettingsTest, ListsAreReplacedNotAddedTo) {
  tree.add("first", "inventory: [a, b]\nkey: one\n");
  EXPECT_EQ(read().list("inventory"), (Words{"a", "b"}));
  EXPECT_EQ(read().list("key"), Words{"one"});
  EXPECT_EQ(read({{"inventory", {"c"}}}).list("inventory"), Words{"c"});
  EXPECT_TRUE(read().list("limit").empty());
}

TEST_F(SettingsTest, FlagsAreSwitchedOffByLaterSources) {
  tree.add("first", "gather: true\n");
  EXPECT_TRUE(read().flag("gather"));
  tree.add("second", "gather: false\n");
  EXPECT_FALSE(read().flag("gather"));
  EXPECT_TRUE(read({{"gather", {}}}).flag("gather"));
  std::filesystem::remove(tree.path("second"));
  for (const auto* off : {"0", "false", "no"}) {
    const Variable variable("MUSTER_GATHER", off);
    EXPECT_FALSE(read().flag("gather")) << off;
    EXPECT_FALSE(read().given("gather"));
  }
  const Variable variable("MUSTER_GATHER", "1");
  EXPECT_TRUE(read().flag("gather"));
}

TEST_F(SettingsTest, AnOptionalValueMayBeMissing) {
  const auto settings = read({{"sudo", {}}});
  EXPECT_TRUE(settings.given("sudo"));
  EXPECT_EQ(settings.text("sudo"), std::nullopt);
}

TEST_F(SettingsTest, AnOptionalValueMayBeWhetherOnly) {
  tree.add("first", "sudo: true\n");
  EXPECT_TRUE(read().given("sudo"));
  EXPECT_EQ(read().text("sudo"), std::nullopt);
  tree.add("second", "sudo: false\n");
  EXPECT_FALSE(read().given("sudo"));
  const Variable variable("MUSTER_SUDO", "1");
  EXPECT_TRUE(read().given("sudo"));
  EXPECT_EQ(read().text("sudo"), std::nullopt);
}

TEST_F(SettingsTest, KeysOfOtherCommandsArePassedOver) {
  tree.add("first", "sudo: web\nfanout: 3\n");
  const auto settings = read({}, "ping");
  EXPECT_FALSE(settings.given("sudo"));
  EXPECT_EQ(settings.integer("fanout", 1, 9), 3);
}

TEST_F(SettingsTest, AnUnknownKeyIsNamedWithItsPlaceAndTheKnownOnes) {
  tree.add("first", "user: me\nfanuot: 8\n");
  EXPECT_TRUE(error().starts_with(tree.path("first") + ":2:1: unknown key 'fanuot'; the keys are inventory, "))
      << error();
  EXPECT_NE(error().find("connect_timeout"), std::string::npos);
  tree.add("first", "  json: true\n");  // an option, and no key
  EXPECT_TRUE(error().starts_with(tree.path("first") + ":1:3: unknown key 'json'")) << error();
}

TEST_F(SettingsTest, MistakesInFilesNameTheirPlace) {
  const auto place = [&](const char* position) { return tree.path("first") + ":" + position + ": "; };
  tree.add("first", "gather: 7\n");
  EXPECT_EQ(error(), place("1:9") + "write true or false");
  tree.add("first", "user: [a]\n");
  EXPECT_EQ(error(), place("1:7") + "write one value");
  tree.add("first", "inventory:\n- a\n- [b]\n");
  EXPECT_EQ(error(), place("3:3") + "write a list of values");
  tree.add("first", "- a\n");
  EXPECT_EQ(error(), place("1:1") + "write `key: value` lines");
  tree.add("first", "user: a\nuser: b\n");
  EXPECT_TRUE(error().starts_with(tree.path("first") + ":2:1: ")) << error();
  tree.add("first", "user: [a\n");
  EXPECT_TRUE(error().starts_with(tree.path("first") + ":")) << error();
  tree.add("first", "");
  EXPECT_FALSE(read().given("user"));
}

TEST_F(SettingsTest, BadValuesNameWhereTheyStand) {
  tree.add("first", "\nfanout: many\nserial: 5x\n");
  const auto file = read();
  const auto fanout = ssh::failure_of([&] { file.integer("fanout", 1, 9); });
  EXPECT_TRUE(fanout.is(Code::usage, tree.path("first") + ":2:1: fanout: ")) << fanout;
  EXPECT_TRUE(ssh::failure_of([&] { file.share("serial"); }).is(Code::usage, ":3:1: serial: "));
  const auto options = read({{"fanout", {"10"}}, {"timeout", {"soon"}}});
  EXPECT_TRUE(ssh::failure_of([&] { options.integer("fanout", 1, 9); }).is(Code::usage, "--fanout: "));
  EXPECT_TRUE(ssh::failure_of([&] { options.duration("timeout"); }).is(Code::usage, "--timeout: "));
  const Variable variable("MUSTER_TIMEOUT", "soon");
  EXPECT_TRUE(ssh::failure_of([&] { read().duration("timeout"); }).is(Code::usage, "MUSTER_TIMEOUT: "));
  EXPECT_TRUE(ssh::failure_of([&] { read().reject("port", "why"); }).is(Code::usage, "--port: why"));
}

TEST_F(SettingsTest, GoodValuesAreRead) {
  const auto settings = read({{"timeout", {"1.5s"}}, {"serial", {"25%"}}, {"fanout", {"8"}}});
  EXPECT_EQ(settings.duration("timeout"), milliseconds(1'500));
  EXPECT_EQ(settings.share("serial")->of(8), 2U);
  EXPECT_EQ(settings.integer("fanout", 1, 9), 8);
  EXPECT_EQ(settings.duration("idle-timeout"), std::nullopt);
  EXPECT_EQ(settings.integer("port", 1, 9), std::nullopt);
  EXPECT_EQ(settings.share("max-fail"), std::nullopt);
}

TEST(ConfigurationFiles, TheUsersOwnComesAfterTheMachines) {
  const char* before = std::getenv("XDG_CONFIG_HOME");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("XDG_CONFIG_HOME", "/xdg", 1);
  EXPECT_EQ(configuration_files(), (Words{"/etc/muster/config.yaml", "/xdg/muster/config.yaml"}));
  before == nullptr ? ::unsetenv("XDG_CONFIG_HOME") : ::setenv("XDG_CONFIG_HOME", kept.c_str(), 1);
}

}  // namespace
}  // namespace muster::cli
