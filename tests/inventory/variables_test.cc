#include <gtest/gtest.h>

#include "inventory/inventory.h"
#include "tests/inventory/support.h"

namespace muster::inventory {
namespace {

const std::map<std::string, std::string> kEveryLevel = {
    {"hosts.yaml", R"(
all:
  vars: {v1: all, v2: all, v3: all, v4: all, v5: all, v6: all}
web:
  hosts:
    web1: {v5: host, v6: host}
  vars: {v2: web, v3: web, v4: web, v5: web, v6: web}
)"},
    {"group_vars/all.yml", "v3: gv-all\nv4: gv-all\nv5: gv-all\nv6: gv-all\n"},
    {"group_vars/web.yaml", "v4: gv-web\nv5: gv-web\nv6: gv-web\n"},
    {"host_vars/web1.json", R"({"v6": "hv"})"},
};

TEST(Variables, FollowAnsiblesPrecedence) {
  const FileTree tree(kEveryLevel);
  const Inventory inventory = load(base::Context(), {tree.path("hosts.yaml")});
  const char* expected[] = {"all", "web", "gv-all", "gv-web", "host", "hv"};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(value_of(inventory, "web1", "v" + std::to_string(i + 1)), expected[i]);
  const Variables merged = inventory.variables(0);
  EXPECT_EQ(merged.size(), 6U);
  EXPECT_EQ(merged.at("v4").value->text, "gv-web");
  EXPECT_EQ(*merged.at("v4").file, tree.path("group_vars/web.yaml"));
}

TEST(Variables, ExplainNamesEveryPlaceTheWinnerLast) {
  const FileTree tree(kEveryLevel);
  const Inventory inventory = load(base::Context(), {tree.path("hosts.yaml")});
  const auto settings = inventory.explain(0, "v6");
  std::vector<std::string> scopes;
  for (const auto& setting : settings) scopes.push_back(setting.scope + "=" + setting.value->text);
  EXPECT_EQ(scopes, (std::vector<std::string>{"group all in the inventory=all", "group web in the inventory=web",
                                              "group_vars/all=gv-all", "group_vars/web=gv-web",
                                              "host web1 in the inventory=host", "host_vars/web1=hv"}));
  EXPECT_EQ(settings[1].origin.file, tree.path("hosts.yaml"));
  EXPECT_EQ(settings[1].origin.at.line, 7U);
  EXPECT_EQ(settings[1].origin.at.column, 46U);
  EXPECT_TRUE(inventory.explain(0, "none").empty());
}

TEST(Variables, DeeperThenPriorityThenNameWins) {
  const Inventory inventory = from_text(R"(
top: {vars: {v: top, ansible_group_priority: 99}, children: {deep: }}
deep: {vars: {v: deep}, hosts: {h: }}
b: {vars: {w: b, x: b}, hosts: {h: }}
c: {vars: {w: c, x: c}, hosts: {h: }}
a: {vars: {x: a, ansible_group_priority: 2}, hosts: {h: }}
)");
  EXPECT_EQ(value_of(inventory, "h", "v"), "deep");
  EXPECT_EQ(value_of(inventory, "h", "w"), "c");
  EXPECT_EQ(value_of(inventory, "h", "x"), "a");
  EXPECT_EQ(value_of(inventory, "h", "ansible_group_priority"), "-");
}

TEST(Variables, RepeatedPlacesMergeAndMappingsAreReplacedWhole) {
  const Inventory inventory = from_text(
      "web: {vars: {x: 1, m: {a: 1}}, hosts: {h: }}\ndb: {children: {web: {vars: {x: 2}}}}\n"
      "all: {vars: {m: {b: 1}}}\n");
  EXPECT_EQ(value_of(inventory, "h", "x"), "2");
  const auto merged = inventory.variable(0, "m");
  ASSERT_EQ(merged->value->entries.size(), 1U);
  EXPECT_EQ(merged->value->entries[0].key.text, "a");
}

TEST(Variables, LaterSourceWinsAlsoForAParentGroup) {
  const FileTree tree({{"a/hosts.yml", "top: {children: {deep: {hosts: {h: }}}}\n"},
                       {"a/group_vars/deep.yml", "v: deep-a\n"},
                       {"b/hosts.yml", "top: {}\n"},
                       {"b/group_vars/top.yml", "v: top-b\n"}});
  EXPECT_EQ(value_of(load(base::Context(), {tree.path("a"), tree.path("b")}), "h", "v"), "top-b");
  EXPECT_EQ(value_of(load(base::Context(), {tree.path("b"), tree.path("a/hosts.yml")}), "h", "v"), "deep-a");
}

TEST(Variables, DirectoryOfVariablesIsReadSortedAndHidesTheFile) {
  const FileTree tree({{"hosts", "web: {hosts: {h: }}\n"},
                       {"group_vars/web/b.yml", "v: b\nonly: b\n"},
                       {"group_vars/web/a", "v: a\nfirst: a\n"},
                       {"group_vars/web/c/d.json", R"({"v": "d"})"},
                       {"group_vars/web/e.d/x.yml", "v: never\n"},
                       {"group_vars/web/notes.txt", "v: never\n"},
                       {"group_vars/web/.hidden.yml", "v: never\n"},
                       {"group_vars/web/old.yml~", "v: never\n"},
                       {"group_vars/web.yml", "hidden: 1\n"},
                       {"group_vars/nobody.yml", "- not read\n"},
                       {"group_vars/all.yml", "# nothing\n"}});
  KeptEvents events;
  const Inventory inventory = load(events.context(), {tree.path("hosts")});
  EXPECT_EQ(value_of(inventory, "h", "v"), "d");
  EXPECT_EQ(value_of(inventory, "h", "only"), "b");
  EXPECT_EQ(value_of(inventory, "h", "first"), "a");
  EXPECT_EQ(value_of(inventory, "h", "hidden"), "-");
  ASSERT_EQ(events.warnings.size(), 1U);
  EXPECT_EQ(events.warnings[0], tree.path("group_vars/web.yml") + ": not read, as " + tree.path("group_vars/web") +
                                    " hides it; move one into the other");
}

TEST(Variables, MistakesInVariableFilesSayWhere) {
  const FileTree tree({{"hosts", "web: {hosts: {h: }}\n"}, {"group_vars/web.yml", "- v\n"}});
  const auto error = [&] { return usage_error([&] { load(base::Context(), {tree.path("hosts")}); }); };
  EXPECT_EQ(error(), tree.path("group_vars/web.yml") + ":1:1: a file of variables is a mapping; write 'NAME: VALUE'");
  tree.add("group_vars/web.yml", "v: 1\nv: 2\n");
  EXPECT_EQ(error(), tree.path("group_vars/web.yml") +
                         ":2:1: key 'v' is written twice in one mapping, first on line 1 "
                         "column 1; merge the two or remove one");
  tree.add("group_vars/web.yml", "$ANSIBLE_VAULT;1.1;AES256\n00\n");
  EXPECT_NE(error().find("encrypted with ansible-vault"), std::string::npos);
  std::vector<std::string> problems;
  load(base::Context(), {tree.path("hosts")}, {.dialect = Dialect::muster, .all_problems = &problems});
  EXPECT_EQ(problems.size(), 1U);
}

}  // namespace
}  // namespace muster::inventory
