#include "virt/domain_xml.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::virt {
namespace {

constexpr const char* kDomain = R"(<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>web01</name>
  <uuid>11111111-1111-4111-8111-111111111111</uuid>
  <memory unit='GiB'>2</memory>
  <currentMemory unit='KiB'>1048576</currentMemory>
  <vcpu placement='static' current='2'>8</vcpu>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><loader type='pflash'>/x</loader><nvram>/n.fd</nvram></os>
  <!-- kept -->
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' discard='unmap'/><source file='/images/web01.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
    <disk type='volume' device='disk'><source pool='default' volume='data'><encryption format='luks'/></source><target dev='vdb'/><shareable/></disk>
    <disk type='network' device='disk'><source protocol='rbd' name='pool/image'/><target dev='vdc'/></disk>
    <interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/><model type='virtio'/></interface>
    <nobody-knows this='one'><inner/></nobody-knows>
  </devices>
  <qemu:commandline><qemu:arg value='-foo'/></qemu:commandline>
</domain>)";

TEST(DomainXml, ReadsWhatItKnows) {
  const DomainXml xml(kDomain);
  EXPECT_EQ(xml.type(), "kvm");
  EXPECT_EQ(xml.name(), "web01");
  EXPECT_EQ(xml.memory_bytes(), 2ULL << 30);
  EXPECT_EQ(xml.current_memory_bytes(), 1ULL << 30);
  EXPECT_EQ(xml.cpus(), 2U);
  EXPECT_EQ(xml.max_cpus(), 8U);
  EXPECT_EQ(xml.machine(), "pc-q35-7.2");
  EXPECT_EQ(xml.firmware(), "efi");
  EXPECT_EQ(xml.nvram(), "/n.fd");
  const auto disks = xml.disks();
  ASSERT_EQ(disks.size(), 4U);
  EXPECT_EQ(disks[0].source, "/images/web01.qcow2");
  EXPECT_EQ(disks[0].format, "qcow2");
  EXPECT_EQ(disks[1].device, "cdrom");
  EXPECT_TRUE(disks[1].read_only && disks[1].source.empty());
  EXPECT_EQ(disks[2].source, "default/data");
  EXPECT_TRUE(disks[2].shareable && disks[2].encrypted && !disks[0].encrypted);
  EXPECT_EQ(disks[3].source, "rbd:pool/image");
  ASSERT_EQ(xml.interfaces().size(), 1U);
  EXPECT_EQ(xml.interfaces()[0].source, "default");
  EXPECT_TRUE(xml.has_device("nobody-knows"));
}

TEST(DomainXml, TheFileOfVariablesCanBeNamedAndLeftToLibvirt) {
  DomainXml xml("<domain><os firmware='efi'><type>hvm</type></os></domain>");
  EXPECT_EQ(xml.nvram(), "");
  xml.set_nvram("/a.fd");
  EXPECT_EQ(xml.nvram(), "/a.fd");
  xml.set_nvram("");
  EXPECT_EQ(xml.text().find("nvram"), std::string::npos);
}

TEST(DomainXml, WhatItDoesNotKnowStays) {
  DomainXml xml(kDomain);
  xml.set_nvram("/nvram/other.fd");
  const std::string text = xml.text();
  for (const char* part : {"<nobody-knows this=\"one\">", "<inner />", "<!-- kept -->", "qemu:arg value=\"-foo\"",
                           "discard=\"unmap\"", "<nvram>/nvram/other.fd</nvram>"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

TEST(DomainXml, CopiesAreIndependent) {
  const DomainXml first(kDomain);
  DomainXml second = first;
  second.set_nvram("/nvram/other.fd");
  EXPECT_NE(first.nvram(), second.nvram());
  EXPECT_EQ(second.nvram(), "/nvram/other.fd");
}

std::string refusal(const std::string& text) {
  try {
    const DomainXml xml(text);
    return std::to_string(xml.memory_bytes());
  } catch (const base::Error& e) {
    return e.code() == base::Code::usage ? e.what() : "another error";
  }
}

TEST(DomainXml, WhatIsNoDomainIsAnError) {
  EXPECT_NE(refusal("").find("domain XML"), std::string::npos);
  EXPECT_NE(refusal("<domain><name>x</domain>").find("at byte"), std::string::npos);
  EXPECT_NE(refusal("<network/>").find("not <domain>"), std::string::npos);
  EXPECT_NE(refusal("<domain>" + std::string(9U << 20, ' ') + "</domain>").find("8 MiB"), std::string::npos);
  std::string deep = "<domain>";
  for (int i = 0; i < 100; ++i) deep += "<a>";
  for (int i = 0; i < 100; ++i) deep += "</a>";
  EXPECT_NE(refusal(deep + "</domain>").find("too deeply"), std::string::npos);
  EXPECT_NE(refusal("<domain><memory unit='pages'>1</memory></domain>").find("unknown unit 'pages'"),
            std::string::npos);
  EXPECT_NE(refusal("<domain><memory unit='TiB'>99999999999</memory></domain>").find("too large"), std::string::npos);
}

}  // namespace
}  // namespace muster::virt
