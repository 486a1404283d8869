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

// A definition whose <metadata> is `inside`.
DomainXml defined_with(const std::string& inside) {
  return DomainXml("<domain><name>web01</name><metadata>" + inside + "</metadata><memory>1</memory></domain>");
}

TEST(MetadataOfADefinition, ReplacesOursHoweverItIsWrittenAndLeavesOthers) {
  const std::string theirs = "<their:x xmlns:their=\"http://theirs\" facts=\"1\"><their:facts /></their:x>";
  for (const std::string ours :
       {"<muster:facts xmlns:muster='urn:x-muster:domain:1'><old/></muster:facts>",
        "<facts xmlns='urn:x-muster:domain:1'><old/></facts>", "<m:old xmlns:m='urn:x-muster:domain:1'/>",
        "<muster:facts xmlns:muster='urn:x-muster:domain:1'><old/></muster:facts><facts "
        "xmlns='urn:x-muster:domain:1'/>",
        ""}) {
    DomainXml definition = defined_with(ours + theirs);
    set_facts(definition, {kPart, {.name = "master"}});
    const std::string text = definition.text();
    EXPECT_EQ(text.find("old"), std::string::npos) << text;
    const std::size_t at = text.find("<facts xmlns=\"urn:x-muster:domain:1\">");
    ASSERT_NE(at, std::string::npos) << text;
    EXPECT_EQ(text.find("urn:x-muster", at + 30), std::string::npos) << "once: " << text;
    EXPECT_NE(text.find("http://theirs"), std::string::npos);
    const std::string facts = text.substr(at, text.find("</facts>", at) + 8 - at);
    EXPECT_EQ(find_part(facts, "retirement")->attribute("aim"), "trash");
    EXPECT_TRUE(find_part(facts, "master"));
    set_facts(definition, {});
    EXPECT_EQ(definition.text().find("urn:x-muster"), std::string::npos) << definition.text();
    EXPECT_NE(definition.text().find("http://theirs"), std::string::npos);
  }
}

TEST(MetadataOfADefinition, AnElementOfOursNameInAnotherNamespaceIsNotOurs) {
  DomainXml definition = defined_with("<facts xmlns='http://theirs'/><muster:facts xmlns:muster='http://theirs'/>");
  const std::string before = definition.text();
  set_facts(definition, {});
  EXPECT_EQ(definition.text(), before);
}

TEST(MetadataOfADefinition, IsMadeWhereThereIsNoneAndGoesWhenEmpty) {
  DomainXml definition("<domain><name>web01</name><memory>1</memory></domain>");
  set_facts(definition, {});
  EXPECT_EQ(definition.text().find("metadata"), std::string::npos);
  set_facts(definition, {{.name = "master"}});
  EXPECT_NE(definition.text().find("<metadata>"), std::string::npos);
  set_facts(definition, {});
  EXPECT_EQ(definition.text().find("metadata"), std::string::npos) << definition.text();
  DomainXml empty = defined_with("\n    ");
  set_facts(empty, {});
  EXPECT_EQ(empty.text().find("metadata"), std::string::npos) << empty.text();
}

TEST(MetadataOfADefinition, OnePartIsAddedBesideTheOthers) {
  DomainXml definition("<domain><name>web01</name><memory>1</memory></domain>");
  add_fact(definition, {.name = "master"});
  add_fact(definition, kPart);
  add_fact(definition, {.name = "master", .attributes = {{"name", "web"}}});
  const std::string text = DomainXml(definition.text()).text();
  const std::size_t at = text.find("<facts ");
  const std::string facts = text.substr(at, text.find("</facts>", at) + 8 - at);
  EXPECT_EQ(find_part(facts, "retirement")->attribute("aim"), "trash") << text;
  EXPECT_EQ(find_part(facts, "master")->attribute("name"), "web") << text;
  EXPECT_EQ(text.find("<facts", at + 1), std::string::npos) << text;
}

TEST(MetadataOfADefinition, OfNewPartsIsReadBack) {
  const std::string text = new_metadata({kPart, {.name = "master", .attributes = {{"name", "a'b\"<&>"}}}});
  EXPECT_EQ(find_part(text, "retirement")->children.at(0).text, kPart.children[0].text);
  EXPECT_EQ(find_part(text, "master")->attribute("name"), "a'b\"<&>");
  EXPECT_FALSE(find_part(text, "other"));
}

TEST(MetadataOfADefinition, StandsWhereLibvirtReadsIt) {
  const Connection connection("test:///default");
  DomainXml definition(connection.domain("test").xml(Domain::Xml::portable));
  set_facts(definition, {kPart});
  connection.define(definition.text());
  EXPECT_EQ(metadata_part(connection.domain("test"), "retirement")->attribute("aim"), "trash");
}

}  // namespace
}  // namespace muster::virt
