#include <gtest/gtest.h>

#include "inventory/inventory.h"
#include "tests/inventory/support.h"

namespace muster::inventory {
namespace {

std::string error_in(std::string_view text, Dialect dialect = Dialect::muster) {
  return usage_error([&] { from_text(text, dialect); });
}

std::vector<std::string> warnings_in(std::string_view text) {
  KeptEvents events;
  load_text(events.context(), text, "i.yaml", {.dialect = Dialect::ansible_strict});
  return events.warnings;
}

TEST(Loader, GroupsChildrenAndHostsKeepTheirOrder) {
  const Inventory inventory = from_text(R"(
all:
  children:
    prod:
      children:
        web:
          hosts: {web2: , web1: }
        db:
    empty:
  hosts:
    lone:
db:
  hosts: {db1: , web1: }
)");
  EXPECT_EQ(members(inventory, "all"), "lone web2 web1 db1");
  EXPECT_EQ(members(inventory, "prod"), "web2 web1 db1");
  EXPECT_EQ(members(inventory, "ungrouped"), "lone");
  EXPECT_EQ(members(inventory, "empty"), "");
  EXPECT_EQ(inventory.groups()[0].name, "all");
  EXPECT_EQ(inventory.groups()[inventory.find_group("web").value()].depth, 2);
  EXPECT_EQ(joined(inventory.group_names(inventory.find_host("web1").value())), "db prod web");
  EXPECT_FALSE(inventory.find_host("web3"));
  EXPECT_FALSE(inventory.find_group("web3"));
}

TEST(Loader, HostInAGroupLeavesUngrouped) {
  const Inventory inventory = from_text("ungrouped: {hosts: {a: , b: }}\nweb: {hosts: {a: }}\n");
  EXPECT_EQ(members(inventory, "ungrouped"), "b");
  EXPECT_EQ(joined(inventory.group_names(0)), "web");
}

TEST(Loader, RangesAndPortsInHostKeys) {
  const Inventory inventory = from_text(R"(
all:
  hosts:
    web[01:03]:
      rack: a
    db[1-2]:2222:
    '[fe80::1]:23':
    fe80::2:
    10.0.0.[1:2]:
)");
  EXPECT_EQ(members(inventory, "all"), "web01 web02 web03 db1 db2 fe80::1 fe80::2 10.0.0.1 10.0.0.2");
  EXPECT_EQ(value_of(inventory, "web03", "rack"), "a");
  EXPECT_EQ(value_of(inventory, "db2", "ansible_port"), "2222");
  EXPECT_EQ(value_of(inventory, "fe80::1", "ansible_port"), "23");
  EXPECT_EQ(value_of(inventory, "fe80::2", "ansible_port"), "-");
}

TEST(Loader, PortCountsOnlyWhereTheHostIsNamedFirst) {
  KeptEvents events;
  const Inventory inventory = load_text(events.context(), "a: {hosts: {h: }}\nb: {hosts: {'h:23': }}\n", "i.yaml");
  EXPECT_EQ(value_of(inventory, "h", "ansible_port"), "-");
  ASSERT_EQ(events.warnings.size(), 1U);
  EXPECT_EQ(events.warnings[0],
            "i.yaml:2:13: port 23 of host 'h' is ignored, as it counts only where the host is named "
            "first; write 'port:' below it");
}

TEST(Loader, StrictKnowsAnsiblesRangesOnly) {
  EXPECT_EQ(members(from_text("all: {hosts: {'web[1:2]': }}", Dialect::ansible_strict), "all"), "web1 web2");
  EXPECT_NE(error_in("all: {hosts: {'web[1-2]': }}", Dialect::ansible_strict), "no error");
}

TEST(Loader, WrongRootIsAnErrorWithTheFix) {
  EXPECT_EQ(error_in(""), "i.yaml:1:1: the inventory is empty; write 'all:' with 'hosts:' below it");
  EXPECT_EQ(error_in("# comment\n"), "i.yaml:1:1: the inventory is empty; write 'all:' with 'hosts:' below it");
  EXPECT_EQ(error_in("{}"), "i.yaml:1:1: the inventory is empty; write 'all:' with 'hosts:' below it");
  EXPECT_EQ(error_in("- web1\n- web2\n"),
            "i.yaml:1:1: an inventory is no list; write 'all:', below it 'hosts:', and each host as 'NAME:'");
  EXPECT_EQ(error_in("web1\nweb2\n"),
            "i.yaml:1:1: an inventory is a mapping of groups, this is text; write 'all:', below "
            "it 'hosts:', and each host as 'NAME:'");
  EXPECT_EQ(error_in("plugin: aws_ec2\n"),
            "i.yaml:1:9: this configures an inventory plugin, which is not run; save what "
            "'ansible-inventory --list --yaml' prints and use that file");
  EXPECT_EQ(error_in("hosts:\n  web1:\n"),
            "i.yaml:1:1: 'hosts' is a key of a group, not a group; write it below a group, e.g. 'all:'");
}

TEST(Loader, OtherFormatsAreNamed) {
  EXPECT_EQ(error_in("# c\n[web]\nweb1\n"),
            "i.yaml:3:1: did not find expected <document start>; check the indentation of this line and of the one "
            "before; an INI inventory is not read: convert it with 'ansible-inventory -i FILE --list --yaml'");
  EXPECT_EQ(
      error_in("$ANSIBLE_VAULT;1.1;AES256\n6162\n"),
      "i.yaml:1:1: encrypted with ansible-vault, which cannot be decrypted here; keep secrets in a key agent or in "
      "a plain file");
}

TEST(Loader, TextForHostsIsAnErrorAndOneHostForAnsible) {
  EXPECT_EQ(
      error_in("all:\n  hosts:\n    web1\n    web2\n"),
      "i.yaml:3:5: 'hosts' of group 'all' is the text 'web1 web2'; write each entry on a line of its own and end it "
      "with a colon: 'NAME:'");
  const Inventory strict = from_text("web: {hosts: web1, children: db, vars: x}", Dialect::ansible_strict);
  EXPECT_EQ(members(strict, "web"), "web1");
  EXPECT_TRUE(strict.find_group("db"));
  EXPECT_TRUE(strict.variable(0, "x")->value->is_null());
}

TEST(Loader, ListsAreErrorsWithTheFix) {
  EXPECT_EQ(error_in("all:\n  hosts:\n    - web1\n"),
            "i.yaml:3:5: 'hosts' of group 'all' is a list; write each entry without a dash and end it with a colon: "
            "'NAME:'");
  EXPECT_EQ(error_in("all:\n  vars:\n    - x: 1\n"),
            "i.yaml:3:5: 'vars' of group 'all' is a list; write a mapping: 'NAME: VALUE' without dashes");
  EXPECT_EQ(error_in("all:\n  hosts: 5\n"),
            "i.yaml:2:10: 'hosts' of group 'all' is '5'; write each entry without a dash "
            "and end it with a colon: 'NAME:'");
  EXPECT_EQ(error_in("web: [a]\n"),
            "i.yaml:1:6: group 'web' is a list; write a mapping with 'hosts:', 'children:' or 'vars:' below it");
}

TEST(Loader, UnknownKeysAreErrorsWithTheNearest) {
  EXPECT_EQ(error_in("web:\n  host:\n    a:\n"),
            "i.yaml:2:3: unknown key 'host' in group 'web'; did you mean 'hosts'?");
  EXPECT_EQ(error_in("web:\n  web1:\n"),
            "i.yaml:2:3: unknown key 'web1' in group 'web'; only 'hosts', 'children' and "
            "'vars' may stand here: put hosts below 'hosts:'");
  EXPECT_EQ(warnings_in("web:\n  host: {a: }\n  hosts: {b: }\n"),
            std::vector<std::string>{"i.yaml:2:3: unknown key 'host' in group 'web'; did you mean 'hosts'?"});
}

TEST(Loader, DuplicateKeysAreErrorsAndTheLastWinsForAnsible) {
  EXPECT_EQ(
      error_in("all:\n  hosts:\n    a: {x: 1}\n    a: {x: 2}\n"),
      "i.yaml:4:5: key 'a' is written twice in one mapping, first on line 3 column 5; merge the two or remove one");
  const Inventory strict = from_text("all:\n  hosts:\n    a: {x: 1}\n    a: {x: 2}\n", Dialect::ansible_strict);
  EXPECT_EQ(value_of(strict, "a", "x"), "2");
}

TEST(Loader, NamesMustBeText) {
  EXPECT_EQ(error_in("all:\n  hosts:\n    5:\n"), "i.yaml:3:5: host name 5 is not text; put it in quotes: '5':");
  EXPECT_EQ(error_in("all:\n  hosts:\n    10.1:\n"),
            "i.yaml:3:5: host name 10.1 is not text; put it in quotes: '10.1':");
  EXPECT_EQ(error_in("7: {hosts: {a: }}\n"), "i.yaml:1:1: group name 7 is not text; put it in quotes: '7':");
  EXPECT_EQ(error_in("all: {hosts: {~: }}\n"), "i.yaml:1:15: a host without a name; write one before the colon");
  EXPECT_EQ(error_in("all: {hosts: {no: }}\n"), "no error");
  EXPECT_EQ(error_in("all: {hosts: {no: }}\n", Dialect::ansible_strict),
            "i.yaml:1:15: host name no is not text; put it in quotes: 'no':");
  EXPECT_EQ(members(from_text("all: {hosts: {'5': }}"), "all"), "5");
}

TEST(Loader, NamesThatAShellOrAPathReadsDifferentlyAreErrors) {
  EXPECT_EQ(
      error_in("all: {hosts: {'-oProxyCommand=x': }}"),
      "i.yaml:1:15: host '-oProxyCommand=x': a name cannot begin with '-', which reads as an option; write another");
  EXPECT_EQ(error_in("all: {hosts: {'a b': }}"),
            "i.yaml:1:15: host 'a b': a name cannot contain a blank; use letters, digits, '.', '-' and '_'");
  EXPECT_EQ(error_in("'../x': {hosts: {a: }}"),
            "i.yaml:1:1: group '../x': a name cannot contain '/'; use letters, digits, '.', '-' and '_'");
  EXPECT_EQ(error_in("all: {hosts: {..: }}"), "i.yaml:1:15: host '..': '..' names a directory; write another name");
  EXPECT_EQ(error_in("all: {hosts: {'a:b': }}"),
            "i.yaml:1:15: host 'a:b': a name with ':' is neither an IPv6 address nor "
            "NAME:PORT; use letters, digits, '.', '-' and '_'");
  for (const char* bad : {"a;b", "a$b", "a`b", "a|b", "a'b", "a\"b", "a\\b", "a*b", "a\tb",
                          "a\x7f"
                          "b",
                          "a\nb", "u@h"})
    EXPECT_NE(error_in("all:\n  hosts:\n    ? !!str \"" + std::string(bad) + "\"\n"), "no error") << bad;
  EXPECT_EQ(error_in("all: {hosts: {" + std::string(256, 'a') + ": }}").substr(0, 13), "i.yaml:1:15: ");
  EXPECT_EQ(error_in("all: {hosts: {'h:0': }}"),
            "i.yaml:1:15: the port of 'h:0' is not between 1 and 65535; write one that is");
}

TEST(Loader, BadRangesSayWhere) {
  EXPECT_EQ(error_in("all:\n  hosts:\n    'web[1:':\n").substr(0, 11), "i.yaml:3:5:");
  EXPECT_EQ(error_in("all:\n  hosts:\n    'web[1:9999999]':\n").substr(0, 11), "i.yaml:3:5:");
}

TEST(Loader, HostValueMustBeAMapping) {
  EXPECT_EQ(error_in("all:\n  hosts:\n    web1: 10.0.0.1\n"),
            "i.yaml:3:11: host 'web1' is followed by '10.0.0.1'; write "
            "its variables as a mapping: 'NAME: VALUE' on lines below it");
  EXPECT_EQ(error_in("all: {hosts: {a: ''}}", Dialect::ansible_strict), "no error");
}

TEST(Loader, CyclesAreErrors) {
  EXPECT_EQ(error_in("a:\n  children:\n    a:\n"),
            "i.yaml:3:5: group 'a' is a child of itself; remove it from its 'children:'");
  EXPECT_EQ(
      error_in("a: {children: {b: }}\nb:\n  children:\n    a:\n"),
      "i.yaml:4:5: group 'a' as a child of 'b' closes a cycle, as 'b' is below 'a' already; remove one of the two");
  EXPECT_EQ(error_in("a: {children: {all: }}\n"),
            "i.yaml:1:16: 'all' holds every group and can be no child; remove it here");
}

TEST(Loader, NameOfBothGroupAndHostIsAnError) {
  const char* text = "web:\n  hosts:\n    web:\n";
  EXPECT_EQ(error_in(text), "i.yaml:3:5: host 'web' has the name of a group (i.yaml:1:1); rename one of the two");
  EXPECT_EQ(error_in("web: {hosts: {all: }}"),
            "i.yaml:1:15: host 'all' has the name of a group, which always exists; rename one of the two");
  EXPECT_EQ(warnings_in(text).size(), 1U);
}

TEST(Loader, PriorityMustBeANumber) {
  EXPECT_EQ(error_in("a:\n  vars:\n    ansible_group_priority: high\n"),
            "i.yaml:3:29: ansible_group_priority is 'high'; write a whole number");
  EXPECT_EQ(error_in("a: {vars: {ansible_group_priority: '10'}}"), "no error");
}

TEST(Loader, CheckCollectsEveryProblem) {
  std::vector<std::string> problems;
  const Inventory inventory =
      load_text(base::Context(), "web:\n  host: {}\n  hosts:\n    5:\n    ok:\n    'b d':\ndb: [x]\n", "i.yaml",
                {.dialect = Dialect::muster, .all_problems = &problems});
  ASSERT_EQ(problems.size(), 4U);
  EXPECT_TRUE(problems[0].starts_with("i.yaml:2:3: unknown key 'host'")) << problems[0];
  EXPECT_TRUE(problems[1].starts_with("i.yaml:4:5: host name 5")) << problems[1];
  EXPECT_TRUE(problems[2].starts_with("i.yaml:6:5: host 'b d'")) << problems[2];
  EXPECT_TRUE(problems[3].starts_with("i.yaml:7:5: group 'db'")) << problems[3];
  EXPECT_EQ(members(inventory, "all"), "ok");
}

TEST(Loader, CheckSurvivesCycles) {
  std::vector<std::string> problems;
  const Inventory inventory = load_text(base::Context(), "a: {children: {b: {children: {a: }}}, hosts: {x: }}\n",
                                        "i.yaml", {.dialect = Dialect::muster, .all_problems = &problems});
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(members(inventory, "all"), "x");
}

TEST(Loader, SeveralSourcesAreOneInventory) {
  const FileTree tree({{"a.yaml", "web: {hosts: {web1: {x: a, y: a}}}\n"},
                       {"d/1.yml", "web: {hosts: {web2: , web1: {y: b}}}\n"},
                       {"d/2.json", R"({"db": {"hosts": {"db1": null}}})"},
                       {"d/sub/hosts", "db: {hosts: {db2: }}\n"},
                       {"d/.hidden.yml", "- no\n"},
                       {"d/old.yml.bak", "- no\n"},
                       {"d/notes.md", "- no\n"},
                       {"d/old~", "- no\n"},
                       {"d/group_vars/web.yml", "x: d\n"}});
  const Inventory inventory = load(base::Context(), {tree.path("a.yaml"), tree.path("d")});
  EXPECT_EQ(members(inventory, "all"), "web1 web2 db1 db2");
  EXPECT_EQ(value_of(inventory, "web1", "y"), "b");
  EXPECT_EQ(value_of(inventory, "web1", "x"), "a");
  EXPECT_EQ(value_of(inventory, "web2", "x"), "d");
}

TEST(Loader, SourcesThatCannotBeReadAreErrorsByName) {
  const FileTree tree({{"hosts.ini", "[web]\n"}, {"empty/.keep", ""}});
  const auto error = [&](const std::string& name) {
    return usage_error([&] { load(base::Context(), {tree.path(name)}); });
  };
  EXPECT_EQ(error("none.yaml"), tree.path("none.yaml") + ": No such file or directory");
  EXPECT_EQ(error("hosts.ini"), tree.path("hosts.ini") +
                                    ": not read as an inventory: its name must end in .yaml, .yml, .json or nothing; "
                                    "convert others with 'ansible-inventory -i " +
                                    tree.path("hosts.ini") + " --list --yaml'");
  EXPECT_EQ(error("empty"),
            tree.path("empty") + ": no inventory in this directory; put a file like hosts.yaml into it");
}

}  // namespace
}  // namespace muster::inventory
