// A machine that runs from served disks, and how its definition becomes an ordinary one again.
#include "virt/served_definition.h"

#include <gtest/gtest.h>

#include "virt/block_pull.h"
#include "virt/domain.h"

namespace muster::virt {
namespace {

const char* const kMachine = R"(<domain type='kvm'>
  <name>web02</name>
  <metadata><theirs:x xmlns:theirs='http://theirs'/><muster:facts xmlns:muster='urn:x-muster:domain:1'><old/></muster:facts></metadata>
  <memory>1024</memory>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2' error_policy='report'/><source file='/new/web02-vda.qcow2'/><target dev='vda'/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/new/web02-vdb.qcow2'/><target dev='vdb'/></disk>
    <disk type='file' device='cdrom'><source file='/a.iso'/><target dev='sda'/><readonly/></disk>
  </devices>
</domain>)";

class ServedDefinition : public testing::Test {
 protected:
  static bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
  // As libvirt would hand the part out.
  MetadataElement mark() const {
    const std::string from = xml_.substr(xml_.find("<facts"));
    return find_part(from.substr(0, from.find("</facts>") + 8), kServedPart).value();
  }
  const std::string xml_ = served_definition(DomainXml(kMachine), {{"vda", "/s/vda"}, {"vdb", "/s/vdb"}},
                                             {.name = kServedPart, .attributes = {{"point", "ab12"}}});
};

TEST_F(ServedDefinition, DisksAreBuiltOnTheServersAndStopTheMachineOnErrors) {
  EXPECT_TRUE(has_chain(DomainXml(xml_), "vda"));
  EXPECT_TRUE(has(xml_, "<host transport=\"unix\" socket=\"/s/vdb\""));
  EXPECT_TRUE(has(xml_, "error_policy=\"stop\" rerror_policy=\"stop\""));
  EXPECT_FALSE(has_chain(DomainXml(xml_), "sda"));
  EXPECT_EQ(DomainXml(xml_).disks()[0].source, "/new/web02-vda.qcow2");
}

TEST_F(ServedDefinition, ItsMetadataSaysWhatIsUnderWay) {
  EXPECT_EQ(mark().attribute("point"), "ab12");
  EXPECT_EQ(mark().children.size(), 2U);
  EXPECT_FALSE(has(xml_, "old"));
  EXPECT_TRUE(has(xml_, "http://theirs"));
}

TEST_F(ServedDefinition, SettledItIsAsItWas) {
  const std::string settled = settled_definition(DomainXml(xml_), mark());
  EXPECT_FALSE(has(settled, "nbd"));
  EXPECT_FALSE(has(settled, "rerror_policy"));
  EXPECT_TRUE(has(settled, "error_policy=\"report\"")) << settled;
  EXPECT_FALSE(has(settled, "stop"));
  EXPECT_FALSE(has_chain(DomainXml(settled), "vda"));
}

}  // namespace
}  // namespace muster::virt
