// Parts of our metadata: each its owner's, the others' untouched. Pure, and against libvirt's test driver.
#include "virt/metadata.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "virt/connection.h"
#include "virt/domain_xml.h"

namespace muster::virt {
namespace {

const MetadataElement kPart{.name = "retirement",
                            .attributes = {{"aim", "trash"}},
                            .children = {{.name = "snapshot", .text = "<domain>\n  <name>a&b</name>\n</domain>\n"},
                                         {.name = "step", .attributes = {{"name", "x"}}}}};

TEST(Metadata, AChangedPartLeavesTheOthersAlone) {
  const std::string before =
      "<muster:facts xmlns:muster='urn:x-muster:domain:1' since='1'><master gold='yes'><a/>"
      "</master><retirement old='1'/></muster:facts>";
  const std::string after = with_part(before, kPart);
  EXPECT_EQ(find_part(after, "master")->attribute("gold"), "yes");
  EXPECT_EQ(find_part(after, "master")->children.size(), 1U);
  EXPECT_NE(after.find("since=\"1\""), std::string::npos) << after;
  const auto part = find_part(after, "retirement");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->attribute("old"), "");
  EXPECT_EQ(part->children.at(0).text, kPart.children[0].text);
  const std::string without = without_part(after, "retirement");
  EXPECT_FALSE(find_part(without, "retirement"));
  EXPECT_TRUE(find_part(without, "master"));
}

TEST(Metadata, WhatIsEmptyIsRemoved) {
  EXPECT_EQ(without_part(with_part("", kPart), "retirement"), "");
  EXPECT_EQ(without_part("", "retirement"), "");
}

TEST(Metadata, AnElementOfAnotherNameBecomesAPart) {
  const std::string after = with_part("<creating pid='7'/>", kPart);
  EXPECT_EQ(find_part(after, "creating")->attribute("pid"), "7");
  EXPECT_TRUE(find_part(after, "retirement"));
}

TEST(Metadata, WhatIsNoXmlIsCorrupt) {
  try {
    find_part("<facts>", "retirement");
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), base::Code::corrupt);
  }
}

TEST(Metadata, StandsInTheDomainAndSurvivesItsDefinition) {
  const Connection connection("test:///default");
  const Domain domain = connection.domain("test");
  EXPECT_FALSE(metadata_part(domain, "retirement"));
  put_metadata_part(domain, {.name = "master", .attributes = {{"gold", "yes"}}});
  put_metadata_part(domain, kPart);
  connection.define(domain.xml(Domain::Xml::portable));
  EXPECT_EQ(metadata_part(domain, "retirement")->children.at(0).text, kPart.children[0].text);
  drop_metadata_part(domain, "retirement");
  EXPECT_TRUE(metadata_part(domain, "master"));
  drop_metadata_part(domain, "master");
  drop_metadata_part(domain, "master");
  EXPECT_FALSE(domain.metadata());
}

TEST(Metadata, HasALimit) {
  const Connection connection("test:///default");
  try {
    put_metadata_part(connection.domain("test"), {.name = "x", .text = std::string(kMaxMetadataBytes, 'x')});
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), base::Code::refused);
  }
}

}  // namespace
}  // namespace muster::virt
