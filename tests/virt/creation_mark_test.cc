// The mark of a machine that is being made, in a definition that has no disks yet; its text is storage_test.cc's.
#include "virt/creation_mark.h"

#include <gtest/gtest.h>

#include "virt/connection.h"

namespace muster::virt {
namespace {

CreationMark mark_of(const std::string& uuid) {
  return {.uuid = uuid,
          .host = "kvm1",
          .machine = "boot-1",
          .pid = 4711,
          .started = 1ULL << 40,
          .since = "2026-11-01T10:00:00Z",
          .volumes = {{"default", "web01-vda.qcow2"}, {"fast & small", "web01-vdb.raw"}}};
}

void expect_same(const CreationMark& is, const CreationMark& was) {
  EXPECT_EQ(is.uuid, was.uuid);
  EXPECT_EQ(is.host, was.host);
  EXPECT_EQ(is.machine, was.machine);
  EXPECT_EQ(is.pid, was.pid);
  EXPECT_EQ(is.started, was.started);
  EXPECT_EQ(is.since, was.since);
  ASSERT_EQ(is.volumes.size(), was.volumes.size());
  for (std::size_t i = 0; i < was.volumes.size(); ++i) {
    EXPECT_EQ(is.volumes[i].pool, was.volumes[i].pool);
    EXPECT_EQ(is.volumes[i].name, was.volumes[i].name);
  }
}

TEST(MarkOfCreation, OfAnothersWritingIsNoProcess) {
  const auto mark = creation_mark(MetadataElement{.name = "creating", .attributes = {{"pid", "x"}, {"started", "-1"}}});
  EXPECT_EQ(mark.pid, 0);
  EXPECT_EQ(mark.started, 0U);
  EXPECT_TRUE(mark.volumes.empty());
}

TEST(MarkOfCreation, StandsInADefinitionWithoutDisks) {
  const DomainXml whole(
      "<domain type='test'><name>web01</name><uuid>11111111-2222-4333-8444-555555555555</uuid>"
      "<metadata><x:y xmlns:x='http://theirs'/><facts xmlns='urn:x-muster:domain:1'><clone/></facts></metadata>"
      "<memory>1024</memory><os><type>hvm</type></os><devices>"
      "<disk type='file' device='disk'><source file='/a'/><target dev='vda'/></disk>"
      "<interface type='user'/>"
      "<disk type='file' device='cdrom'><source file='/b'/><target dev='sda'/><readonly/></disk></devices></domain>");
  const auto mark = mark_of(whole.uuid());
  const DomainXml marked(marked_definition(whole, mark));
  EXPECT_TRUE(marked.disks().empty());
  EXPECT_EQ(marked.interfaces().size(), 1U);
  EXPECT_EQ(marked.name(), "web01");
  EXPECT_EQ(marked.uuid(), whole.uuid());
  EXPECT_NE(marked.text().find("http://theirs"), std::string::npos);
  EXPECT_EQ(marked.text().find("<clone"), std::string::npos) << "what is true of the whole machine alone";
  EXPECT_EQ(whole.disks().size(), 2U) << "which is as it was";
  const Connection connection("test:///default");
  const auto domain = connection.define(marked.text());
  const auto read = creation_mark(domain);
  ASSERT_TRUE(read);
  expect_same(*read, mark);
  connection.define(whole.text());
  EXPECT_FALSE(creation_mark(domain));
}

}  // namespace
}  // namespace muster::virt
