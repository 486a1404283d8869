#include "inventory/host_pattern.h"

#include <gtest/gtest.h>

#include "inventory/glob.h"
#include "inventory/host_name.h"
#include "tests/inventory/support.h"

namespace muster::inventory {
namespace {

constexpr const char* kFleet = R"(
web: {hosts: {'web[01:10]': }}
db: {hosts: {db1: , db2: , web03: }}
prod: {children: {web: }}
empty:
all: {hosts: {lone.example.org: , 'fe80::1': }}
)";

class HostPattern : public testing::Test {
 protected:
  std::string match(std::string_view pattern, std::string_view limit = "", Dialect dialect = Dialect::muster) {
    const Inventory inventory = from_text(kFleet, dialect);
    const Selection selection = select(events.context(), inventory, pattern, limit);
    std::string text = joined(names_of(inventory, selection.hosts));
    if (selection.implicit_localhost) text += " (localhost)";
    return text;
  }
  std::string strict(std::string_view pattern, std::string_view limit = "") {
    return match(pattern, limit, Dialect::ansible_strict);
  }
  std::string error(std::string_view pattern, std::string_view limit = "") {
    return usage_error([&] { match(pattern, limit); });
  }
  KeptEvents events;
};

TEST_F(HostPattern, NamesGroupsAndHostsInTheOrderOfTheTerms) {
  EXPECT_EQ(match("db"), "db1 db2 web03");
  EXPECT_EQ(match("web02,db,web02"), "web02 db1 db2 web03");
  EXPECT_EQ(match("web02:db2"), "web02 db2");
  EXPECT_EQ(match(" web02 , db2 ,, "), "web02 db2");
  EXPECT_EQ(match("all"), match("*"));
  EXPECT_EQ(match("fe80::1"), "fe80::1");
  EXPECT_EQ(match("ungrouped"), "lone.example.org fe80::1");
}

TEST_F(HostPattern, ExclusionWinsOverInclusionWhereverItStands) {
  EXPECT_EQ(match("!web03:db"), "db1 db2");
  EXPECT_EQ(match("db:&web"), "web03");
  EXPECT_EQ(match("&web:db"), "web03");
  EXPECT_EQ(match("!web03:db:&db"), "db1 db2");
}

TEST_F(HostPattern, WithoutAPlainTermEverythingIsMeant) {
  EXPECT_EQ(match("!web"), "lone.example.org fe80::1 db1 db2");
  EXPECT_EQ(match("&db"), "db1 db2 web03");
}

TEST_F(HostPattern, SymmetricDifferenceComesBeforeExclusion) {
  EXPECT_EQ(match("db,^web03"), "db1 db2");
  EXPECT_EQ(match("db,^web03,^web04"), "db1 db2 web04");
  EXPECT_EQ(match("!web04,^web04,^web05,db"), "db1 db2 web03 web05");
  EXPECT_EQ(match("^web"), "lone.example.org fe80::1 db1 db2");
  EXPECT_EQ(strict("^web"), "");
}

TEST_F(HostPattern, GlobsAndRegularExpressions) {
  EXPECT_EQ(match("web0[!1-8]"), "web09");
  EXPECT_EQ(match("*.example.org"), "lone.example.org");
  EXPECT_EQ(match("db?"), "db1 db2");
  EXPECT_EQ(match("~db\\d"), "db1 db2");
  EXPECT_EQ(match("~web0(1|2)$"), "web01 web02");
  EXPECT_EQ(match("~eb0|lone"), "lone.example.org");
  EXPECT_EQ(match("~db"), "db1 db2 web03");
  EXPECT_EQ(error("~("), "'~(' is no regular expression; write one as ECMAScript has it after '~', e.g. '~web\\d+'");
}

TEST_F(HostPattern, SubscriptsPickFromTheResult) {
  EXPECT_EQ(match("web[0]"), "web01");
  EXPECT_EQ(match("web[-1]"), "web10");
  EXPECT_EQ(match("web[1:3]"), "web02 web03 web04");
  EXPECT_EQ(match("web[8:]"), "web09 web10");
  EXPECT_EQ(match("web[8:99]"), "web09 web10");
  EXPECT_EQ(match("db:web[0:1]"), "db1 db2 web03 web01 web02");
  EXPECT_EQ(error("web[10]"),
            "no host matches the subscript of 'web[10]': only 10 are there; count from 0, or from the "
            "end with [-1]");
  EXPECT_EQ(error("web[-11]").substr(0, 47), "no host matches the subscript of 'web[-11]': on");
  EXPECT_EQ(error("web[10:11]"), "no host matches the subscript of 'web[10:11]': of 10 hosts the last is [9]");
  EXPECT_EQ(strict("web[10:11]"), "");
  EXPECT_EQ(strict("web[3:0]"), "web04");
}

TEST_F(HostPattern, DashesAndCommasInBracketsAreHostNames) {
  EXPECT_EQ(match("web[01-03]"), "web01 web02 web03");
  EXPECT_EQ(match("web[01,04-05],db1"), "web01 web04 web05 db1");
  EXPECT_EQ(match("web[01,03]:!web03"), "web01");
  EXPECT_EQ(match("db:!web[01-09]"), "db1 db2");
  EXPECT_EQ(match("web[01-09/4]"), "web01 web05 web09");
  EXPECT_EQ(match("web0[0-9]*").substr(0, 11), "web01 web02");
  EXPECT_EQ(strict("web[1-3]"), "web02 web03 web04");
}

TEST_F(HostPattern, RangeOnAGroupsNameIsNoted) {
  match("web[01-02]");
  ASSERT_EQ(events.notes.size(), 1U);
  EXPECT_EQ(events.notes[0],
            "'web[01-02]' is read as a range of host names, not as a part of group 'web'; write "
            "'web[0:2]' for its first three hosts");
}

TEST_F(HostPattern, RangeInTheInventoryInPartIsAWarning) {
  EXPECT_EQ(match("web[09-12]"), "web09 web10");
  ASSERT_EQ(events.warnings.size(), 1U);
  EXPECT_EQ(events.warnings[0], "'web[09-12]': not in the inventory: web[11-12]");
  EXPECT_EQ(error("web[20-30]"), "no host or group matches 'web[20-30]'; did you mean 'web'?");
}

TEST_F(HostPattern, UnmatchedTermIsAnErrorWithCloseNames) {
  EXPECT_EQ(error("wbe"), "no host or group matches 'wbe'; did you mean 'web'?");
  EXPECT_EQ(error("web:!web033"), "no host or group matches 'web033'; did you mean 'web03'?");
  EXPECT_EQ(error("nothing-like-it"),
            "no host or group matches 'nothing-like-it'; 'muster inventory list --graph' shows what there is");
  EXPECT_EQ(error("web:&db,db1"),
            "no host or group matches 'web:&db'; ':' separates only where no comma does: write "
            "commas throughout");
  EXPECT_EQ(strict("wbe,db1"), "db1");
  ASSERT_EQ(events.warnings.size(), 1U);
  EXPECT_EQ(events.warnings[0], "no host or group matches 'wbe'");
}

TEST_F(HostPattern, NothingLeftIsNeverSuccess) {
  EXPECT_EQ(error("empty"),
            "no host is left of pattern 'empty'; 'muster inventory list PATTERN' shows what a pattern matches");
  EXPECT_EQ(error("web:!web"),
            "no host is left of pattern 'web:!web'; 'muster inventory list PATTERN' shows what a pattern matches");
  EXPECT_EQ(error("web", "db1"),
            "no host is left of pattern 'web' and limit 'db1'; 'muster inventory list PATTERN' shows "
            "what a pattern matches");
  EXPECT_EQ(error(""), "pattern '' names nothing; name hosts or groups, or 'all' for every host");
  EXPECT_EQ(error(","), "pattern ',' names nothing; name hosts or groups, or 'all' for every host");
  EXPECT_EQ(error("web", ","), "limit ',' names nothing; name hosts or groups, or 'all' for every host");
  EXPECT_EQ(error("web,!"),
            "nothing follows '!' in the pattern; write a host or group after it, without a blank, and "
            "quote the pattern for the shell");
  EXPECT_EQ(strict(","), strict("all"));
  EXPECT_EQ(strict("empty"), "");
}

TEST_F(HostPattern, LimitIsASecondPattern) {
  EXPECT_EQ(match("web", "db"), "web03");
  EXPECT_EQ(match("all", "web:!web0*"), "web10");
}

TEST_F(HostPattern, LimitFilesHaveAPatternALine) {
  const FileTree tree({{"limit", "# repeat these\n\n web02 \r\ndb:!db2\n"}, {"bad", "web01\nwbe\n"}, {"empty", "\n"}});
  EXPECT_EQ(match("web01,web02,db", "@" + tree.path("limit")), "web02 db1 web03");
  EXPECT_EQ(match("@" + tree.path("limit")), "web02 db1 web03");
  EXPECT_EQ(error("all", "@" + tree.path("bad")),
            tree.path("bad") + ":2: no host or group matches 'wbe'; did you mean 'web'?");
  EXPECT_EQ(error("all", "@" + tree.path("empty")),
            "limit '@" + tree.path("empty") + "' names nothing; name hosts or groups, or 'all' for every host");
  EXPECT_EQ(error("all", "@" + tree.path("none")), "@" + tree.path("none") + ": No such file or directory");
  EXPECT_EQ(error("all", "@" + tree.path()), "@" + tree.path() + ": a directory; name a file with one pattern a line");
}

TEST_F(HostPattern, LocalhostExistsWhereItIsNamed) {
  EXPECT_EQ(match("localhost"), " (localhost)");
  EXPECT_EQ(match("127.0.0.1,db1"), "db1 (localhost)");
  EXPECT_EQ(match("db1:!localhost"), "db1");
  EXPECT_EQ(error("localhost", "web").substr(0, 30), "no host is left of pattern 'lo");
  const Inventory known = from_text("all: {hosts: {127.0.0.1: }}");
  const Selection selection = select(base::Context(), known, "localhost", "");
  EXPECT_EQ(selection.hosts.size(), 1U);
  EXPECT_FALSE(selection.implicit_localhost);
}

// A backtracking matcher would try longer than anybody waits.
TEST_F(HostPattern, RegularExpressionsAreBounded) {
  EXPECT_EQ(match("~(l*)*(o*)*((n*)*)*lone.example.org$"), "lone.example.org");
  EXPECT_NE(error("~([a-z.]*)*([a-z.]*)*([a-z.]*)*X"), "no error");
  EXPECT_NE(error("~we" + std::string(40, '*') + "Q"), "no error");
  EXPECT_NE(error("~(w)eb\\1").find("no regular expression"), std::string::npos) << "back references";
}

TEST_F(HostPattern, LongTermsAndManyStarsAreBounded) {
  EXPECT_EQ(error(std::string(2000, 'a')),
            "a term of the pattern has more than 1024 bytes; write several shorter ones");
  EXPECT_EQ(error(std::string(500, '*') + "x").substr(0, 24), "no host or group matches");
}

TEST(Glob, ReadsAsPythonsFnmatch) {
  EXPECT_TRUE(glob_matches("a*c", "abbc"));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_FALSE(glob_matches("a", "ab"));
  EXPECT_FALSE(glob_matches("ab", "a"));
  EXPECT_TRUE(glob_matches("[a-c]x", "bx"));
  EXPECT_FALSE(glob_matches("[!a-c]x", "bx"));
  EXPECT_TRUE(glob_matches("[]]", "]"));
  EXPECT_TRUE(glob_matches("[^a]", "^"));
  EXPECT_TRUE(glob_matches("[ab", "[ab"));
  EXPECT_TRUE(glob_matches("?", "\u00e9"));
  EXPECT_TRUE(glob_matches("a*b*c", "aXbXbXc"));
  EXPECT_FALSE(glob_matches("a*b*c", "aXbXbX"));
}

TEST(HostName, AddressesAreToldFromLists) {
  for (const char* one : {"web", "web1.example.org", "10.0.0.1", "web[1:3]", "web[a:f]x", "web:22", "fe80::1",
                          "[fe80::1]:22", "a::b", "web_1", "10.0.0.[1:9]"})
    EXPECT_TRUE(is_address(one)) << one;
  for (const char* list : {"web:db", "web:&db", "web*", "web[0]", "-web", "web-", "web.", "~web", "web:db:22", ""})
    EXPECT_FALSE(is_address(list)) << list;
}

}  // namespace
}  // namespace muster::inventory
