#include "inventory/name_folding.h"

#include <gtest/gtest.h>

namespace muster::inventory {
namespace {

// What is expected here is what `nodeset -f` of ClusterShell 1.9.1 prints for the same names.

TEST(NameFolding, NothingFoldsToNothing) { EXPECT_EQ(fold_names({}), ""); }

TEST(NameFolding, OrderAndDuplicatesDoNotMatter) {
  EXPECT_EQ(fold_names({"web3", "db1", "web1", "web2", "web1"}), "db1,web[1-3]");
}

TEST(NameFolding, GapsSplitRuns) { EXPECT_EQ(fold_names({"web1", "web3", "web4", "web9"}), "web[1,3-4,9]"); }

TEST(NameFolding, NamesWithoutNumbersStayAlone) {
  EXPECT_EQ(fold_names({"foo", "bar", "foo1"}), "bar,foo,foo1");
  EXPECT_EQ(fold_names({"-x", "_", "A", "a", "B"}), "-x,A,B,_,a");
}

TEST(NameFolding, WidthsArePrintedApart) {
  EXPECT_EQ(fold_names({"web01", "web2", "web3"}), "web[2-3,01]");
  EXPECT_EQ(fold_names({"web9", "web10", "web09"}), "web[9,09-10]");
  EXPECT_EQ(fold_names({"web0", "web00", "web01"}), "web[0,00-01]");
  EXPECT_EQ(fold_names({"web98", "web99", "web100", "web098", "web099"}), "web[98-99,098-100]");
  EXPECT_EQ(fold_names({"web08", "web10", "web11", "web99", "web100"}), "web[08,10-11,99-100]");
}

TEST(NameFolding, NumberMayStandAnywhere) {
  EXPECT_EQ(fold_names({"1", "2", "3"}), "[1-3]");
  EXPECT_EQ(fold_names({"1a", "2a"}), "[1-2]a");
  EXPECT_EQ(fold_names({"web1.example.com", "web2.example.com"}), "web[1-2].example.com");
}

TEST(NameFolding, TwoDimensionsMakeBoxes) {
  EXPECT_EQ(fold_names({"a1b1", "a1b2", "a2b1", "a2b2", "a3b1"}), "a[1-2]b[1-2],a3b1");
  EXPECT_EQ(fold_names({"a1b2", "a2b1", "a1b10", "a10b1", "a3b2", "a2b3"}), "a[2,10]b1,a1b[2,10],a2b3,a3b2");
  EXPECT_EQ(fold_names({"x1y01", "x1y1", "x01y1", "x01y01"}), "x[1,01]y[1,01]");
}

TEST(NameFolding, LargerBoxesComeFirstThenTheirEndsAsText) {
  EXPECT_EQ(fold_names({"a1b1", "a100b2", "a99b3", "a5b10"}), "a1b1,a100b2,a5b10,a99b3");
}

TEST(NameFolding, AddressesHaveFourDimensions) {
  EXPECT_EQ(fold_names({"10.0.0.1", "10.0.0.2", "10.0.0.10", "10.0.1.1", "10.0.1.2"}), "10.0.0.[1-2,10],10.0.1.[1-2]");
}

TEST(NameFolding, FamiliesAreOrderedWithTheirNumbersAsPlaceholders) {
  EXPECT_EQ(fold_names({"foo1", "foo-bar", "foo.x", "foo", "foo0bar"}), "foo,foo1,foo0bar,foo-bar,foo.x");
  EXPECT_EQ(fold_names({"a%s", "a1", "a2"}), "a%s,a[1-2]");
}

TEST(NameFolding, NumbersBeyondEveryIntegerTypeFold) {
  EXPECT_EQ(fold_names({"sn99999999999999999999", "sn100000000000000000000"}),
            "sn[99999999999999999999-100000000000000000000]");
}

}  // namespace
}  // namespace muster::inventory
