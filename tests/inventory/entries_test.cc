#include "inventory/entries.h"

#include <gtest/gtest.h>

#include "tests/inventory/support.h"

namespace muster::inventory {
namespace {

std::string with(const std::string& text, const std::vector<HostEntry>& entries, Dialect dialect = Dialect::muster) {
  return with_hosts(text, "i.yaml", entries, dialect);
}

std::string without(const std::string& text, const std::vector<std::string>& names) {
  return without_hosts(text, "i.yaml", names);
}

std::string error_with(const std::string& text, const std::vector<HostEntry>& entries,
                       Dialect dialect = Dialect::muster) {
  return usage_error([&] { with(text, entries, dialect); });
}

std::string error_without(const std::string& text, const std::vector<std::string>& names) {
  return usage_error([&] { without(text, names); });
}

const HostEntry kNew{
    .name = "new1", .group = "web", .variables = {{"address", "192.0.2.9"}, {"port", std::int64_t{22}}}};

struct Case {
  const char* what;
  std::string before;
  std::vector<HostEntry> entries;
  std::string after;
};

void expect_all(const std::vector<Case>& cases) {
  for (const auto& [what, before, entries, after] : cases) {
    SCOPED_TRACE(what);
    EXPECT_EQ(with(before, entries), after);
    EXPECT_EQ(with(after, entries), after) << "the second time";
  }
}

TEST(WithHosts, NewHostsComeAtTheEndOfTheirGroup) {
  expect_all({
      {"after the last variable",
       "web:\n  hosts:\n    a:\n      x: 1\n  vars:\n    y: 2\n",
       {kNew},
       "web:\n  hosts:\n    a:\n      x: 1\n    new1:\n      address: 192.0.2.9\n      port: 22\n  vars:\n    y: 2\n"},
      {"several, in their order",
       "web:\n  hosts:\n    a:\n",
       {{"c", "web", {}}, {"b", "web", {{"x", "1"}}}},
       "web:\n  hosts:\n    a:\n    c:\n    b:\n      x: '1'\n"},
      {"deep below children",
       "all:\n  children:\n    prod:\n      children:\n        web:\n          hosts:\n            a:\n    db:\n",
       {{"b", "web", {}}},
       "all:\n  children:\n    prod:\n      children:\n        web:\n          hosts:\n            a:\n            "
       "b:\n    db:\n"},
      {"into the place that has hosts",
       "all:\n  children:\n    web:\nweb:\n  hosts:\n    a:\nprod:\n  children:\n    web:\n",
       {{"b", "web", {}}},
       "all:\n  children:\n    web:\nweb:\n  hosts:\n    a:\n    b:\nprod:\n  children:\n    web:\n"},
      {"no group is all", "all:\n  hosts:\n    a:\n", {{"b", "", {}}}, "all:\n  hosts:\n    a:\n    b:\n"},
      {"in two groups, variables once",
       "web:\n  hosts:\n    a:\ndb:\n  hosts:\n    a:\n",
       {{"b", "web", {{"x", "y"}}}, {"b", "db", {{"x", "y"}}}},
       "web:\n  hosts:\n    a:\n    b:\n      x: y\ndb:\n  hosts:\n    a:\n    b:\n"},
      {"a host of another group",
       "web:\n  hosts:\n    a:\n      x: y\ndb:\n  hosts:\n    b:\n",
       {{"a", "db", {{"x", "y"}}}},
       "web:\n  hosts:\n    a:\n      x: y\ndb:\n  hosts:\n    b:\n    a:\n"},
      {"names that need quotes",
       "web:\n  hosts:\n    a:\n",
       {{"fe80::1", "web", {}}, {"7", "web", {}}, {"no", "web", {}}, {"\u00fcber", "web", {}}},
       "web:\n  hosts:\n    a:\n    'fe80::1':\n    '7':\n    'no':\n    \u00fcber:\n"},
      {"a list",
       "web:\n  hosts:\n    a:\n",
       {{"b",
         "web",
         {{"host_key", std::vector<std::string>{"ssh-ed25519 AA # c", "ssh-rsa BB"}},
          {"none", std::vector<std::string>()}}}},
       "web:\n  hosts:\n    a:\n    b:\n      host_key:\n        - 'ssh-ed25519 AA # c'\n        - ssh-rsa BB\n      "
       "none: []\n"},
  });
}

TEST(WithHosts, MissingPartsAreWritten) {
  expect_all({
      {"hosts is null", "web:\n  hosts:\n", {{"a", "web", {}}}, "web:\n  hosts:\n    a:\n"},
      {"hosts is written null",
       "web:\n    hosts: ~  # c\ndb:\n",
       {{"a", "web", {}}},
       "web:\n    hosts:  # c\n        a:\ndb:\n"},
      {"no hosts",
       "web:\n   vars:\n      x: 1\n",
       {{"a", "web", {}}},
       "web:\n   vars:\n      x: 1\n   hosts:\n      a:\n"},
      {"group is null",
       "all:\n  children:\n    web:\n    db:\n",
       {{"a", "web", {}}},
       "all:\n  children:\n    web:\n      hosts:\n        a:\n    db:\n"},
      {"no such group",
       "db:\n    hosts:\n        b:\n",
       {{"a", "web", {{"x", "y"}}}},
       "db:\n    hosts:\n        b:\nweb:\n    hosts:\n        a:\n            x: y\n"},
      {"no such group, blank lines between",
       "db:\n  hosts:\n\nmail:\n  hosts:\n",
       {{"a", "web", {}}, {"b", "ftp", {}}},
       "db:\n  hosts:\n\nmail:\n  hosts:\n\nweb:\n  hosts:\n    a:\n\nftp:\n  hosts:\n    b:\n"},
      {"no such group, others below all",
       "all:\n  children:\n    db:\n      hosts:\n        b:\n  vars:\n    x: 1\n",
       {{"a", "web", {}}},
       "all:\n  children:\n    db:\n      hosts:\n        b:\n    web:\n      hosts:\n        a:\n  vars:\n    x: 1\n"},
      {"nothing",
       "",
       {kNew, {"b", "", {}}},
       "web:\n  hosts:\n    new1:\n      address: 192.0.2.9\n      port: 22\nall:\n  hosts:\n    b:\n"},
      {"a comment only", "# fleet\n", {{"b", "", {}}}, "# fleet\nall:\n  hosts:\n    b:\n"},
      {"a comment without a line break", "# fleet", {{"b", "", {}}}, "# fleet\nall:\n  hosts:\n    b:"},
      {"the start of a document", "---\n", {{"b", "", {}}}, "---\nall:\n  hosts:\n    b:\n"},
      {"the end of a document",
       "---\ndb:\n  hosts:\n    a:\n...\n",
       {{"b", "", {}}},
       "---\ndb:\n  hosts:\n    a:\nall:\n  hosts:\n    b:\n...\n"},
      {"empty brackets", "{}", {{"b", "", {{"x", "y"}}}}, "{\"all\": {\"hosts\": {\"b\": {\"x\": \"y\"}}}}"},
  });
}

TEST(WithHosts, VariablesAreSetWhereTheyAre) {
  const std::vector<HostEntry> set{{"a", "web", {{"x", "new"}}}};
  expect_all({
      {"plain, comment kept", "web:\n  hosts:\n    a:\n      x: old  # c\n      y: 1\n", set,
       "web:\n  hosts:\n    a:\n      x: new  # c\n      y: 1\n"},
      {"same in quotes", "web:\n  hosts:\n    a:\n      x: \"new\"\n", set,
       "web:\n  hosts:\n    a:\n      x: \"new\"\n"},
      {"quoted", "web:\n  hosts:\n    a: { 'x': \"old\" , y: 1 }\n", set,
       "web:\n  hosts:\n    a: { 'x': new , y: 1 }\n"},
      {"null", "web:\n  hosts:\n    a:\n      x:   # c\n      y: 1\n", set,
       "web:\n  hosts:\n    a:\n      x: new   # c\n      y: 1\n"},
      {"null in brackets", "web: {hosts: {a: {x: , y: }}}\n", set, "web: {hosts: {a: {x: new , y: }}}\n"},
      {"key alone in brackets", "web: {hosts: {a: {x, y}}}\n", set, "web: {hosts: {a: {x: new, y}}}\n"},
      {"a block of text", "web:\n  hosts:\n    a:\n      x: |\n        o\n        ld\n\n      y: 1\n", set,
       "web:\n  hosts:\n    a:\n      x: new\n\n      y: 1\n"},
      {"several lines", "web:\n  hosts:\n    a:\n      x: o\n        ld # c\n", set,
       "web:\n  hosts:\n    a:\n      x: new # c\n"},
      {"a list", "web:\n  hosts:\n    a:\n      x:\n      - o\n      - ld\n      y: 1\n", set,
       "web:\n  hosts:\n    a:\n      x: new\n      y: 1\n"},
      {"a list in brackets", "web:\n  hosts:\n    a:\n      x: [o, ld]\n", set,
       "web:\n  hosts:\n    a:\n      x: new\n"},
      {"a tag", "web:\n  hosts:\n    a:\n      x: !!str 5\n", set, "web:\n  hosts:\n    a:\n      x: new\n"},
      {"in the group that sets it", "web:\n  hosts:\n    a:\ndb:\n  hosts:\n    a:\n      x: old\n", set,
       "web:\n  hosts:\n    a:\ndb:\n  hosts:\n    a:\n      x: new\n"},
      {"in the last of the groups that set it",
       "web:\n  hosts:\n    a:\n      x: new\ndb:\n  hosts:\n    a:\n      x: old\n", set,
       "web:\n  hosts:\n    a:\n      x: new\ndb:\n  hosts:\n    a:\n      x: new\n"},
      {"a number is not its text",
       "web:\n  hosts:\n    a:\n      x: 5\n",
       {{"a", "web", {{"x", "5"}}}},
       "web:\n  hosts:\n    a:\n      x: '5'\n"},
      {"a number may be text",
       "web:\n  hosts:\n    a:\n      x: '5'\n",
       {{"a", "web", {{"x", std::int64_t{5}}}}},
       "web:\n  hosts:\n    a:\n      x: '5'\n"},
      {"a number",
       "web:\n  hosts:\n    a:\n      x: 5\n",
       {{"a", "web", {{"x", std::int64_t{-6}}}}},
       "web:\n  hosts:\n    a:\n      x: -6\n"},
      {"last of the request",
       "web:\n  hosts:\n    a:\n",
       {{"a", "web", {{"x", "1a"}, {"x", "2a"}}}, {"a", "web", {{"x", "3a"}}}},
       "web:\n  hosts:\n    a:\n      x: 3a\n"},
      {"another key with the same text below", "web:\n  hosts:\n    a:\n      x: {x: 1}\n", set,
       "web:\n  hosts:\n    a:\n      x: new\n"},
  });
}

TEST(WithHosts, ListsAreSetItemByItem) {
  const auto set = [](std::vector<std::string> items) {
    return std::vector<HostEntry>{{"a", "web", {{"x", std::move(items)}}}};
  };
  const std::string head = "web:\n  hosts:\n    a:\n      x:";
  expect_all({
      {"changed", head + "  # c\n        - o  # 1\n        - 'p'  # 2\n        # 3\n    b:\n", set({"o", "q"}),
       head + "  # c\n        - o  # 1\n        - q  # 2\n        # 3\n    b:\n"},
      {"longer", head + "\n      - o  # 1\n      # 2\n      y: 1\n", set({"o", "p", "q"}),
       head + "\n      - o  # 1\n      - p\n      - q\n      # 2\n      y: 1\n"},
      {"shorter", head + "\n        - o\n        - p\n        - q # c\n    b:\n", set({"o"}),
       head + "\n        - o\n    b:\n"},
      {"null item", head + "\n        -\n        - p\n", set({"o", "p"}), head + "\n        - o\n        - p\n"},
      {"from text", head + " old  # c\n      y: 1\n", set({"o", "p"}),
       head + "  # c\n        - o\n        - p\n      y: 1\n"},
      {"from null", head + "\n      y: 1\n", set({"o"}), head + "\n        - o\n      y: 1\n"},
      {"from brackets", head + " [o]  # c\n", set({"o", "p"}), head + " [o, p]  # c\n"},
      {"from empty brackets", head + " []  # c\n", set({"o", "p"}), head + "  # c\n        - o\n        - p\n"},
      {"in brackets", "web: {hosts: {a: {x: old, y: 1}}}\n", set({"o,", "p"}),
       "web: {hosts: {a: {x: ['o,', p], y: 1}}}\n"},
      {"to none", head + "\n        - o\n    b:\n", set({}), head + " []\n    b:\n"},
      {"same", head + " [\"o\", 'p']\n", set({"o", "p"}), head + " [\"o\", 'p']\n"},
  });
}

TEST(WithHosts, MissingVariablesComeAtTheEndOfTheHost) {
  const std::vector<HostEntry> set{{"a", "web", {{"x", "1a"}}}};
  expect_all({
      {"null host", "web:\n  hosts:\n    a:\n    b:\n", set, "web:\n  hosts:\n    a:\n      x: 1a\n    b:\n"},
      {"null host with comments", "web:\n  hosts:\n    a:  # c\n      # d\n    # e\n    b:\n", set,
       "web:\n  hosts:\n    a:  # c\n      # d\n      x: 1a\n    # e\n    b:\n"},
      {"written null", "web:\n  hosts:\n    a: null # c\n", set, "web:\n  hosts:\n    a: # c\n      x: 1a\n"},
      {"empty brackets",
       "web:\n  hosts:\n    a: {}\n    b: { }\n",
       {{"a", "web", {{"x", "1a"}}}, {"b", "web", {{"x", "2a"}}}},
       "web:\n  hosts:\n    a: {x: 1a}\n    b: {x: 2a }\n"},
      {"brackets", "web:\n  hosts:\n    a: { y: 1 }  # c\n", set, "web:\n  hosts:\n    a: { y: 1, x: 1a }  # c\n"},
      {"brackets with a last comma", "web:\n  hosts:\n    a: {y: 1,}\n", set,
       "web:\n  hosts:\n    a: {y: 1, x: 1a,}\n"},
      {"odd indentation", "web:\n  hosts:\n      a:\n         y: 1\n", set,
       "web:\n  hosts:\n      a:\n         y: 1\n         x: 1a\n"},
      {"after comments of its own", "web:\n  hosts:\n    a:\n      y: 1\n\n      # z: 2\n\n    # b\n    b:\n", set,
       "web:\n  hosts:\n    a:\n      y: 1\n\n      # z: 2\n      x: 1a\n\n    # b\n    b:\n"},
      {"after a block of text", "web:\n  hosts:\n    a:\n      y: |\n        # no comment\n\n    b:\n", set,
       "web:\n  hosts:\n    a:\n      y: |\n        # no comment\n      x: 1a\n\n    b:\n"},
      {"after a kept blank line", "web:\n  hosts:\n    a:\n      y: |+\n        t\n\n    b:\n", set,
       "web:\n  hosts:\n    a:\n      y: |+\n        t\n\n      x: 1a\n    b:\n"},
      {"with a port", "web:\n  hosts:\n    a:2222:\n", set, "web:\n  hosts:\n    a:2222:\n      x: 1a\n"},
      {"no group named",
       "web:\n  hosts:\n    a:\n",
       {{"a", "", {{"x", "1a"}}}},
       "web:\n  hosts:\n    a:\n      x: 1a\n"},
      {"in the named group", "web:\n  hosts:\n    a:\ndb:\n  hosts:\n    a:\n", set,
       "web:\n  hosts:\n    a:\n      x: 1a\ndb:\n  hosts:\n    a:\n"},
      {"with new hosts after it",
       "web:\n  hosts:\n    a:",
       {{"b", "web", {}}, {"a", "web", {{"x", "1a"}}}, {"c", "db", {}}},
       "web:\n  hosts:\n    a:\n      x: 1a\n    b:\ndb:\n  hosts:\n    c:"},
  });
}

TEST(WithHosts, RangesCountAndVariablesGetALineOfTheirOwn) {
  expect_all({
      {"covered", "web:\n  hosts:\n    web[01:10]:\n", {{"web05", "web", {}}}, "web:\n  hosts:\n    web[01:10]:\n"},
      {"same value",
       "web:\n  hosts:\n    web[1-3]:\n      x: y\n",
       {{"web2", "web", {{"x", "y"}}}},
       "web:\n  hosts:\n    web[1-3]:\n      x: y\n"},
      {"another",
       "web:\n  hosts:\n    web[1-3]:\n      x: y\n    a:\n",
       {{"web2", "web", {{"x", "z"}}}},
       "web:\n  hosts:\n    web[1-3]:\n      x: y\n    a:\n    web2:\n      x: z\n"},
      {"without a group",
       "web:\n  hosts:\n    web[1-3]:\n",
       {{"web2", "", {{"x", "z"}}}},
       "web:\n  hosts:\n    web[1-3]:\n    web2:\n      x: z\n"},
      {"has its line already",
       "web:\n  hosts:\n    web[1-3]:\n      x: y\n    web2:\n      x: a\n",
       {{"web2", "web", {{"x", "z"}}}},
       "web:\n  hosts:\n    web[1-3]:\n      x: y\n    web2:\n      x: z\n"},
  });
  EXPECT_EQ(
      error_with("web:\n  hosts:\n    web2:\n    web[1-3]:\n      x: y\n", {{"web2", "web", {{"x", "z"}}}}),
      "i.yaml: cannot be changed safely: 'x' of host 'web2' would have another value, from a range, an alias or a "
      "merge key; write by hand: web2: {x: z} below 'hosts:' of group 'web'");
}

TEST(WithHosts, BracketsStayBrackets) {
  expect_all({
      {"on one line",
       "web: {hosts: {a: , b: {x: 1}}, vars: {y: 2}}\n",
       {kNew},
       "web: {hosts: {a: , b: {x: 1}, new1: {address: 192.0.2.9, port: 22}}, vars: {y: 2}}\n"},
      {"null hosts", "web: {hosts: , vars: {y: 2}}\n", {{"a", "web", {}}}, "web: {hosts: {a: {}} , vars: {y: 2}}\n"},
      {"null group", "{web: ~}\n", {{"a", "web", {}}}, "{web: {hosts: {a: {}}}}\n"},
      {"last null", "web: {hosts: {a: , b}}\n", {{"c", "web", {}}}, "web: {hosts: {a: , b, c: {}}}\n"},
      {"lines",
       "web:\n  hosts: {\n    a: {x: 1},  # c\n    b:   # d\n  }\n",
       {{"c", "web", {}}, {"d", "web", {}}},
       "web:\n  hosts: {\n    a: {x: 1},  # c\n    b: ,  # d\n    c: {},\n    d: {}\n  }\n"},
      {"lines with a last comma",
       "web:\n  hosts: {\n    a: {x: 1},\n    b: {}, # d\n  }\n",
       {{"c", "web", {}}},
       "web:\n  hosts: {\n    a: {x: 1},\n    b: {}, # d\n    c: {},\n  }\n"},
      {"JSON",
       "{\n  \"web\": {\n    \"hosts\": {\n      \"a\": {},\n      \"b\": {\"x\": 1}\n    }\n  }\n}\n",
       {kNew, {"b", "web", {{"l", std::vector<std::string>{"yes", "\u00fc\n"}}}}, {"z", "db", {}}},
       "{\n  \"web\": {\n    \"hosts\": {\n      \"a\": {},\n      \"b\": {\"x\": 1, \"l\": [\"yes\", "
       "\"\u00fc\\n\"]},\n"
       "      \"new1\": {\"address\": \"192.0.2.9\", \"port\": 22}\n    }\n  },\n  \"db\": {\"hosts\": {\"z\": "
       "{}}}\n}\n"},
  });
}

TEST(WithHosts, LineEndsMarksAndBlanksStay) {
  expect_all({
      {"CRLF",
       "web:\r\n  hosts:\r\n    a:\r\n      x: 1\r\n\r\ndb:\r\n",
       {kNew, {"a", "web", {{"x", "2a"}}}},
       "web:\r\n  hosts:\r\n    a:\r\n      x: 2a\r\n    new1:\r\n      address: 192.0.2.9\r\n      port: "
       "22\r\n\r\ndb:\r\n"},
      {"CRLF, no last one", "web:\r\n  hosts:\r\n    a:", {{"b", "web", {}}}, "web:\r\n  hosts:\r\n    a:\r\n    b:"},
      {"no last line break",
       "web:\n  hosts:\n    a:\n      x: 1",
       {{"b", "web", {}}},
       "web:\n  hosts:\n    a:\n      x: 1\n    b:"},
      {"no last line break after a comment",
       "web:\n  hosts:\n    a:  # c",
       {{"b", "web", {}}},
       "web:\n  hosts:\n    a:  # c\n    b:"},
      {"byte order mark",
       "\xEF\xBB\xBFweb:\n  hosts:\n    \u00fc: {x: \u00e4}\n",
       {{"\u00fc", "web", {{"x", "\u00f6"}}}, {"b", "db", {}}},
       "\xEF\xBB\xBFweb:\n  hosts:\n    \u00fc: {x: \u00f6}\ndb:\n  hosts:\n    b:\n"},
      {"tabs and blanks at ends",
       "web: \t\n  hosts:\t# c\n    a:\t\n  \n  vars:\n    x: 1\t\n",
       {{"b", "web", {}}},
       "web: \t\n  hosts:\t# c\n    a:\t\n    b:\n  \n  vars:\n    x: 1\t\n"},
      {"comments between groups",
       "web:\n  hosts:\n    a:\n    # b:\n  # vars\n\n# db\ndb:\n",
       {{"c", "web", {}}},
       "web:\n  hosts:\n    a:\n    # b:\n    c:\n  # vars\n\n# db\ndb:\n"},
  });
}

TEST(WithHosts, AnchorsAndMergeKeysAreNeverBroken) {
  const std::vector<HostEntry> set{{"a", "web", {{"x", "new"}}}};
  expect_all({
      {"over what a merge key brings",
       "all:\n  vars:\n    d: &d {x: old, y: 1}\nweb:\n  hosts:\n    a:\n      <<: *d\n    b: *d\n", set,
       "all:\n  vars:\n    d: &d {x: old, y: 1}\nweb:\n  hosts:\n    a:\n      <<: *d\n      x: new\n    b: *d\n"},
      {"same by a merge key", "all:\n  vars:\n    d: &d {x: new}\nweb:\n  hosts:\n    a:\n      <<: *d\n", set,
       "all:\n  vars:\n    d: &d {x: new}\nweb:\n  hosts:\n    a:\n      <<: *d\n"},
      {"same by an alias", "web:\n  hosts:\n    b: &b {x: new}\n    a: *b\n", set,
       "web:\n  hosts:\n    b: &b {x: new}\n    a: *b\n"},
      {"an anchor that nothing uses", "web:\n  hosts: &h\n    a: &a\n      y: 1\n", set,
       "web:\n  hosts: &h\n    a: &a\n      y: 1\n      x: new\n"},
  });
  EXPECT_EQ(error_with("web:\n  hosts:\n    b: &b {y: 1}\n    a: *b\n", set),
            "i.yaml:4:8: 'a' has the value of the alias *b, which is not changed here; write by hand: x: new in the "
            "alias's place");
  EXPECT_EQ(
      error_with("web:\n  hosts:\n    a: &a {y: 1}\n    b: *a\n", set),
      "i.yaml: cannot be changed safely: variables of host 'b' would change that are not to; write by hand: a: {x: "
      "new} below 'hosts:' of group 'web'");
  EXPECT_EQ(
      error_with("web:\n  hosts:\n    a:\n      x: &x old\n", set),
      "i.yaml:4:10: the value of 'x' has an anchor or is an alias, which is not changed here; write by hand: x: new");
  EXPECT_EQ(error_with("db: &db\n  hosts:\n    z:\nweb: *db\n", set).substr(0, 14), "i.yaml:4:6: 'w");
  EXPECT_EQ(error_with("db: &db\n  hosts: {z: }\nweb:\n  <<: *db\n", set),
            "i.yaml: cannot be changed safely: the hosts of group 'web' would change; write by hand: a: {x: new} below "
            "'hosts:' of group 'web'");
  EXPECT_EQ(error_with("web: &w\n  hosts:\n    z:\ndb: *w\n", set),
            "i.yaml: cannot be changed safely: host 'a' would come into group 'db'; write by hand: a: {x: new} below "
            "'hosts:' of group 'web'");
}

TEST(WithHosts, WhatCannotBeWrittenIsAnErrorThatSaysWhatToDo) {
  const std::string text = "web:\n  hosts:\n    a:\n";
  EXPECT_EQ(error_with(text, {{"a b", "web", {}}}),
            "i.yaml: host 'a b': a name cannot contain a blank; use letters, digits, '.', '-' and '_'");
  EXPECT_EQ(error_with(text, {{"web[1:2]", "web", {}}}),
            "i.yaml: host 'web[1:2]': a name cannot contain '['; use letters, digits, '.', '-' and '_'");
  EXPECT_EQ(error_with(text, {{"web", "web", {}}}), "i.yaml: host 'web' has the name of a group; give it another name");
  EXPECT_EQ(error_with(text, {{"b", "a", {}}}), "i.yaml: group 'a' has the name of a host; give it another name");
  EXPECT_EQ(error_with(text, {{"b", "hosts", {}}}),
            "i.yaml: 'hosts' is a key of a group, not a group; name another group");
  EXPECT_EQ(error_with(text, {{"b", "x y", {}}}),
            "i.yaml: group 'x y': a name cannot contain a blank; use letters, digits, '.', '-' and '_'");
  EXPECT_EQ(error_with(text, {{"b", "web", {{"", "x"}}}}), "i.yaml: a variable of host 'b' has no name; give it one");
  EXPECT_EQ(error_with(text, {{"b", "b", {}}}).substr(0, 44), "i.yaml: cannot be changed safely: i.yaml:6:5");
  EXPECT_EQ(error_with(text, {{"b", "web", {{"x", "\xFF"}}}}),
            "'?' is not UTF-8 and cannot stand in an inventory; write it as UTF-8");
  EXPECT_EQ(error_with("web:\n  hosts:\n    ? a\n    : {x: 1}\n", {{"b", "web", {}}}),
            "i.yaml:3:7: this does not begin its line, which is not changed here; write by hand: b: {}");
  EXPECT_EQ(error_with("web:\n  hosts:\n    a:\n      x:\n        - o\n        # c\n        - p\n",
                       {{"a", "web", {{"x", "y"}}}}),
            "i.yaml:5:9: the value of 'x' has comments in it, which is not changed here; write by hand: x: y");
}

TEST(WithHosts, WhatIsNoInventoryIsAnErrorThatSaysWhatToDo) {
  EXPECT_EQ(usage_error([] { with_hosts("", "hosts.ini", {kNew}); }),
            "hosts.ini: not read as an inventory: its name must end in .yaml, .yml, .json or nothing; convert others "
            "with 'ansible-inventory -i hosts.ini --list --yaml'");
  EXPECT_NE(error_with("[web]\nweb1\n", {kNew}).find("an INI inventory is not read"), std::string::npos);
  EXPECT_NE(error_with("#!/bin/sh\necho '{}'\nif: then: x\n", {kNew}).find("a script is not run"), std::string::npos);
  EXPECT_NE(error_with("plugin: aws_ec2\n", {kNew}).find("inventory plugin, which is not run"), std::string::npos);
  EXPECT_NE(error_with("web1\nweb2\n", {kNew}).find("an inventory is a mapping of groups"), std::string::npos);
  EXPECT_NE(error_with("~\n", {kNew}).find("the inventory is empty"), std::string::npos);
  EXPECT_EQ(error_with("web:\n  hosts:\n---\ndb:\n", {kNew}),
            "i.yaml:3:1: a second document begins here; put each document in a file of its own");
  EXPECT_EQ(error_with("web:\n\thosts:\n", {kNew}).substr(0, 11), "i.yaml:2:1:");
  EXPECT_EQ(error_with("web:\n  host:\n", {kNew}),
            "i.yaml:2:3: unknown key 'host' in group 'web'; did you mean 'hosts'?");
  EXPECT_EQ(error_with("$ANSIBLE_VAULT;1.1;AES256\n61\n", {kNew}).substr(0, 11), "i.yaml:1:1:");
}

TEST(WithHosts, StrictReadsAsAnsibleDoes) {
  const std::string text = "web:\n  hosts:\n    a: {x: no}\n    a: {x: yes}\n  other: 1\n";
  EXPECT_EQ(with(text, {{"a", "web", {{"x", "yes"}}}}, Dialect::ansible_strict),
            "web:\n  hosts:\n    a: {x: no}\n    a: {x: 'yes'}\n  other: 1\n");
  EXPECT_NE(error_with("web: {hosts: a}\n", {{"b", "web", {}}}, Dialect::ansible_strict), "no error");
}

TEST(WithoutHosts, TheirLinesGo) {
  const std::string text =
      "# fleet\nweb:\n  hosts:\n    # above a\n    a:  # a\n      x: |\n        1\n      # in a\n      y: 2\n\n      # "
      "end of a\n\n"
      "    # above b\n    b: {x: 1}\n    c:\ndb:\n  hosts:\n    a:\n    d:\n";
  EXPECT_EQ(without(text, {"a"}),
            "# fleet\nweb:\n  hosts:\n    # above a\n\n    # above b\n    b: {x: 1}\n    c:\ndb:\n  hosts:\n    d:\n");
  EXPECT_EQ(without(text, {"b", "c", "nowhere"}),
            text.substr(0, text.find("    b: {")) + "db:\n  hosts:\n    a:\n    d:\n");
  EXPECT_EQ(without("web:\n  hosts:\n    a:\n  vars:\n    x: 1\n", {"a"}), "web:\n  hosts:\n  vars:\n    x: 1\n");
  EXPECT_EQ(without("web:\r\n  hosts:\r\n    a:\r\n    b:2222:\r\n      x: 1", {"b"}), "web:\r\n  hosts:\r\n    a:");
  EXPECT_EQ(without("web:\n  hosts:\n    a:\n    b:\n    c:", {"c", "b"}), "web:\n  hosts:\n    a:");
  EXPECT_EQ(without("", {"a"}), "");
  EXPECT_EQ(without("# c\n", {"a"}), "# c\n");
}

TEST(WithoutHosts, CommasGoToo) {
  struct Row {
    const char* before;
    std::vector<std::string> names;
    const char* after;
  };
  for (const auto& [before, names, after] :
       {Row{"web: {hosts: {a: , b: {x: 1}, c}}\n", {"a"}, "web: {hosts: {b: {x: 1}, c}}\n"},
        Row{"web: {hosts: {a: , b: {x: 1}, c}}\n", {"b"}, "web: {hosts: {a: , c}}\n"},
        Row{"web: {hosts: {a: , b: {x: 1}, c}}\n", {"c"}, "web: {hosts: {a: , b: {x: 1}}}\n"},
        Row{"web: {hosts: {a: , b: {x: 1}, c}}\n", {"c", "a"}, "web: {hosts: {b: {x: 1}}}\n"},
        Row{"web: {hosts: {a: , b: {x: 1}, c}}\n", {"b", "c"}, "web: {hosts: {a: }}\n"},
        Row{"web: {hosts: {a: , b: {x: '#1'}, c}}\n", {"c", "a", "b"}, "web: {hosts: {}}\n"},
        Row{"{\n  \"web\": {\"hosts\": {\n    \"a\": {},\n    \"b\": {}\n  }}\n}\n",
            {"b"},
            "{\n  \"web\": {\"hosts\": {\n    \"a\": {}\n  }}\n}\n"},
        Row{"web: {hosts: {a: {}, b: {}, }}\n", {"a", "b"}, "web: {hosts: {}}\n"}})
    EXPECT_EQ(without(before, names), after) << before;
}

TEST(WithoutHosts, RangesGoOnlyWhole) {
  EXPECT_EQ(without("web:\n  hosts:\n    web[1-2]:\n    a:\n", {"web2", "web1"}), "web:\n  hosts:\n    a:\n");
  EXPECT_EQ(
      error_without("web:\n  hosts:\n    web[1-2]:\n", {"web2"}),
      "i.yaml:3:5: host 'web2' cannot be removed from the range 'web[1-2]', which names others too; split the range "
      "by hand");
}

TEST(WithoutHosts, WhatOthersNeedIsNotRemoved) {
  EXPECT_EQ(
      error_without("web:\n  hosts:\n    a: &a {x: 1}\n    b: *a\n", {"a"}),
      "i.yaml: cannot be changed safely: i.yaml:3:8: alias *a has no anchor; write &a before it; remove the hosts "
      "by hand");
  EXPECT_EQ(without("web:\n  hosts:\n    a: &a {x: 1}\n    b: *a\n", {"b"}), "web:\n  hosts:\n    a: &a {x: 1}\n");
  EXPECT_EQ(error_without("web: &w\n  hosts:\n    a:\n    b:\ndb:\n  <<: *w\n", {"a"}), "no error");
  EXPECT_EQ(error_without("x: {vars: {y: &y {a: }}}\nweb: {hosts: *y}\n", {"a"}),
            "i.yaml: cannot be changed safely: host 'a' would stay; remove the hosts by hand");
  EXPECT_EQ(error_without("web:\n  hosts: {\n    a: {}, # c\n    b: {}}\n", {"a"}),
            "i.yaml:3:5: there are comments around 'a', which is not changed here; remove it by hand");
}

TEST(WithHosts, LargeFiles) {
  std::string text = "all:\n  hosts:\n";
  for (int i = 0; i < 10'000; ++i) text += "    old" + std::to_string(i) + ":\n      address: 10.0.0.1\n";
  std::vector<HostEntry> entries;
  std::vector<std::string> names;
  for (int i = 0; i < 1'000; ++i) {
    names.push_back("new" + std::to_string(i));
    entries.push_back({names.back(), "all", {{"address", "192.0.2.1"}, {"user", "admin"}}});
    entries.push_back({"old" + std::to_string(i * 10), "", {{"user", "admin"}}});
  }
  const std::string more = with(text, entries);
  const std::string same = without(more, names);
  EXPECT_EQ(from_text(more).host_count(), 11'000U);
  EXPECT_EQ(same.size(), text.size() + 1'000 * std::string("      user: admin\n").size());
}

TEST(WithHosts, LongLines) {
  std::string text = "{\"all\": {\"hosts\": {\"old\": {}";
  for (int i = 0; i < 10'000; ++i) text += ", \"old" + std::to_string(i) + "\": {\"address\": \"10.0.0.1\"}";
  text += "}}}";
  std::vector<HostEntry> entries;
  for (int i = 0; i < 10'000; ++i) entries.push_back({"old" + std::to_string(i), "", {{"user", "admin"}}});
  const std::string more = with(text, entries);
  EXPECT_EQ(more.size(), text.size() + 10'000 * std::string(", \"user\": \"admin\"").size());
}

}  // namespace
}  // namespace muster::inventory
