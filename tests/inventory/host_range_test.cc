#include "inventory/host_range.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::inventory {
namespace {

using Names = std::vector<std::string>;

Names both(std::string_view text) { return expand_ranges(text, RangeSyntax::both); }
Names ansible(std::string_view text) { return expand_ranges(text, RangeSyntax::ansible); }

std::string complaint(std::string_view text, RangeSyntax syntax = RangeSyntax::both) {
  try {
    const auto names = expand_ranges(text, syntax);
    return "no error, but " + std::to_string(names.size()) + " names";
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), base::Code::usage);
    return e.what();
  }
}

TEST(HostRange, NameWithoutBracketsIsItself) {
  EXPECT_EQ(both("web1.example.com"), Names{"web1.example.com"});
  EXPECT_EQ(both(""), Names{""});
}

TEST(HostRange, AnsibleRangesIncludeBothEnds) {
  EXPECT_EQ(ansible("web[8:11]"), (Names{"web8", "web9", "web10", "web11"}));
  EXPECT_EQ(ansible("web[1:7:3].lan"), (Names{"web1.lan", "web4.lan", "web7.lan"}));
  EXPECT_EQ(ansible("web[:2]"), (Names{"web0", "web1", "web2"}));
  EXPECT_EQ(ansible("web[0:2]"), (Names{"web0", "web1", "web2"}));
}

TEST(HostRange, LeadingZeroOfTheBeginFillsToItsWidth) {
  EXPECT_EQ(ansible("web[08:11]"), (Names{"web08", "web09", "web10", "web11"}));
  EXPECT_EQ(both("web[098-100]"), (Names{"web098", "web099", "web100"}));
  EXPECT_EQ(ansible("web[1:03]"), (Names{"web1", "web2", "web3"}));  // only the begin decides, as in Ansible
}

TEST(HostRange, LettersRunFromSmallToLarge) {
  EXPECT_EQ(ansible("db-[a:c]"), (Names{"db-a", "db-b", "db-c"}));
  EXPECT_EQ(ansible("[y:B]"), (Names{"y", "z", "A", "B"}));
  EXPECT_EQ(ansible("[a:e:2]"), (Names{"a", "c", "e"}));
  EXPECT_EQ(ansible("[a:c:1000000000000000000000]"), Names{"a"});
}

TEST(HostRange, ClusterShellListsAndSteps) {
  EXPECT_EQ(both("web[1,3-5]"), (Names{"web1", "web3", "web4", "web5"}));
  EXPECT_EQ(both("[1-10/4]"), (Names{"1", "5", "9"}));
  EXPECT_EQ(both("web[7]"), Names{"web7"});
  EXPECT_EQ(both("web[7/1]"), Names{"web7"});
  EXPECT_EQ(both("web[01,1,001]"), (Names{"web01", "web1", "web001"}));
  EXPECT_EQ(both("web[3,1-3,2]"), (Names{"web3", "web1", "web2"}));  // in the order written, each once
}

TEST(HostRange, SeveralRangesNestWithTheLastFastest) {
  EXPECT_EQ(both("r[1-2]n[01:02]x"), (Names{"r1n01x", "r1n02x", "r2n01x", "r2n02x"}));
  EXPECT_EQ(both("a[1-2][3-4]"), (Names{"a13", "a14", "a23", "a24"}));
}

TEST(HostRange, NumbersBeyondEveryIntegerTypeCount) {
  EXPECT_EQ(both("sn[99999999999999999999-100000000000000000000]"),
            (Names{"sn99999999999999999999", "sn100000000000000000000"}));
}

TEST(HostRange, BackwardNumbersAreNobodyForAnsibleAndAnErrorOtherwise) {
  EXPECT_EQ(ansible("web[3:1]"), Names{});
  EXPECT_EQ(complaint("web[3:1]"), "range '[3:1]' in 'web[3:1]': it runs backwards; write the smaller end first");
  EXPECT_EQ(complaint("web[3-1]"), "range '[3-1]' in 'web[3-1]': it runs backwards; write the smaller end first");
}

TEST(HostRange, MalformedRangesSayWhatToWrite) {
  for (const auto* text : {"a[]",      "a[,1]",     "a[1,]",     "a[1-]",   "a[-1]",     "a[1-2-3]", "a[1-3/0]",
                           "a[1-3/]",  "a[1-3/x]",  "a[/2]",     "a[1/2]",  "a[01-100]", "a[1-010]", "a[x]",
                           "a[a-c]",   "a[1:]",     "a[01:100]", "a[1:b]",  "a[b:1]",    "a[z:a]",   "a[1:2:3:4]",
                           "a[1:2:0]", "a[1:2:-1]", "a[+1:2]",   "a[ 1:2]", "a[1, 3]",   "a[1-[2]]", "a[ab:c]"})
    EXPECT_TRUE(complaint(text).starts_with("range '[")) << text << ": " << complaint(text);
  EXPECT_EQ(complaint("a[1-2"), "'a[1-2' has a '[' without its ']'");
  EXPECT_EQ(complaint("a1-2]"), "'a1-2]' has a ']' without its '['");
  EXPECT_EQ(complaint("a[1-2]]"), "'a[1-2]]' has a ']' without its '['");
}

TEST(HostRange, AnsibleSyntaxKnowsColonsOnly) {
  EXPECT_EQ(complaint("web[1-3]", RangeSyntax::ansible),
            "range '[1-3]' in 'web[1-3]': write it as [begin:end] or [begin:end:step]");
}

TEST(HostRange, SizeIsLimitedBeforeAnythingIsBuilt) {
  EXPECT_TRUE(complaint("a[0:99999][0:99999]").find("more than 1000000") != std::string::npos);
  EXPECT_TRUE(complaint("a[1-" + std::string(80, '9') + "]").find("more than 63 digits") != std::string::npos);
  EXPECT_TRUE(complaint(std::string(300'000, 'a') + "[1-2]").find("256 KiB") != std::string::npos);
  EXPECT_EQ(both("a[1-1000000]").size(), kMaxRangeHosts);
  EXPECT_EQ(complaint("a[0-1000000]"), "'a[0-1000000]' stands for more than 1000000 hosts; write a smaller range");
  EXPECT_TRUE(complaint("a[1-999999,1000000-1999999]").find("more than 1000000") != std::string::npos);
  EXPECT_TRUE(complaint(std::string(1000, 'a') + "[1-1000000]").find("more than") != std::string::npos);
}

}  // namespace
}  // namespace muster::inventory
