// A definition that becomes another machine's: every element that may be there only once, and those that stay.
#include "virt/identity.h"

#include <gtest/gtest.h>

namespace muster::virt {
namespace {

const char* const kMachine = R"(<domain type='kvm' id='7'>
  <name>web01</name>
  <uuid>11111111-2222-3333-4444-555555555555</uuid>
  <title>the web server</title>
  <genid>99999999-2222-3333-4444-555555555555</genid>
  <metadata>
    <theirs:facts xmlns:theirs='http://theirs'><x/></theirs:facts>
    <muster:facts xmlns:muster='urn:x-muster:domain:1'><backup/></muster:facts>
  </metadata>
  <memory unit='KiB'>1024</memory>
  <os firmware='efi'><type machine='q35'>hvm</type><nvram template='/t_VARS.fd'>/nvram/web01_VARS.fd</nvram></os>
  <sysinfo type='smbios'><system><entry name='uuid'>1</entry><entry name='serial'>2</entry><entry name='product'>p</entry></system></sysinfo>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/><source file='/old/web01.qcow2' index='1'><encryption format='luks'><secret type='passphrase' uuid='1'/></encryption></source><backingStore type='file'><source file='/base'/></backingStore><target dev='vda' bus='virtio'/><serial>abc</serial></disk>
    <disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/vg/data'/><target dev='vdb' bus='virtio'/></disk>
    <disk type='file' device='disk'><source file='/shared.raw'/><target dev='vdc'/><readonly/></disk>
    <disk type='file' device='cdrom'><source file='/a.iso'/><target dev='sda'/><readonly/></disk>
    <interface type='network'><mac address='52:54:00:11:22:33'/><source network='default' portid='p-1'/><target dev='vnet7'/><model type='virtio'/></interface>
    <interface type='bridge'><mac address='52:54:00:11:22:34'/><source bridge='br0'/><virtualport type='openvswitch'><parameters interfaceid='i-1'/></virtualport></interface>
    <interface type='hostdev'><mac address='52:54:00:11:22:35'/></interface>
    <serial type='pty'><source path='/dev/pts/3'/><log file='/log/web01.log'/></serial>
    <serial type='file'><source path='/log/web01-serial'/></serial>
    <channel type='unix'><source mode='bind' path='/channel/web01/agent'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <graphics type='vnc' port='5901' autoport='no' websocket='5700'><listen type='socket' socket='/web01.sock'/></graphics>
    <hostdev mode='subsystem' type='pci'/>
    <vsock model='virtio'><cid auto='no' address='3'/></vsock>
    <unheard of='it'/>
  </devices>
  <seclabel type='dynamic' model='dac'><label>+1:+1</label></seclabel>
</domain>)";

class Identity : public testing::Test {
 protected:
  static bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
  const Rewritten rewritten_ =
      with_new_identity(DomainXml(kMachine), {.name = "copy", .disks = {{"vda", {"/new/copy-vda.qcow2", "qcow2"}}}});
  const std::string& xml_ = rewritten_.xml;
};

TEST_F(Identity, WhatTheMachineIsCalledIsNew) {
  EXPECT_EQ(DomainXml(xml_).name(), "copy");
  EXPECT_EQ(DomainXml(xml_).uuid(), "") << "libvirt makes one";
  EXPECT_FALSE(has(xml_, "id='7'") || has(xml_, "id=\"7\""));
  EXPECT_FALSE(has(xml_, "the web server"));
  EXPECT_FALSE(has(xml_, "99999999")) << "generation ID";
  EXPECT_TRUE(has(xml_, "<genid"));
  EXPECT_FALSE(has(xml_, "name=\"uuid\""));
  EXPECT_FALSE(has(xml_, "name=\"serial\""));
  EXPECT_TRUE(has(xml_, "name=\"product\""));
}

TEST_F(Identity, FactsAboutTheOldOneAreGoneAndOthersStay) {
  EXPECT_FALSE(has(xml_, "urn:x-muster"));
  EXPECT_TRUE(has(xml_, "http://theirs"));
  EXPECT_TRUE(has(xml_, "unheard"));
  EXPECT_FALSE(has(xml_, "+1:+1"));
}

TEST_F(Identity, DisksAreWhereTheyWerePut) {
  const auto disks = DomainXml(xml_).disks();
  ASSERT_EQ(disks.size(), 3U);
  EXPECT_EQ(disks[0].source, "/new/copy-vda.qcow2");
  EXPECT_EQ(disks[0].format, "qcow2");
  EXPECT_FALSE(has(xml_, "backingStore"));
  EXPECT_TRUE(has(xml_, "discard=\"unmap\""));
  EXPECT_TRUE(has(xml_, "<serial>abc"));
  EXPECT_EQ(disks[1].source, "/shared.raw");
  EXPECT_EQ(disks[2].source, "/a.iso");
  EXPECT_FALSE(has(with_new_identity(DomainXml(kMachine), {.name = "c", .disks = {}, .keep_disk_serials = false}).xml,
                   "<serial>abc"));
}

TEST_F(Identity, WhatIsNotHadTwiceIsLeftOutAndTold) {
  EXPECT_EQ(rewritten_.left_out,
            (std::vector<std::string>{"the encryption of disk vda", "disk vdb", "a device of the host (pci)",
                                      "an interface that is a device of the host"}));
  EXPECT_FALSE(has(xml_, "encryption"));
  EXPECT_FALSE(has(xml_, "/dev/vg/data"));
  EXPECT_FALSE(has(xml_, "hostdev"));
}

TEST_F(Identity, AddressesPortsSocketsAndFilesAreNew) {
  for (const char* old : {"52:54:00", "portid", "vnet7", "i-1", "5901", "5700", "/web01.sock", "/dev/pts/3", "web01",
                          "address=\"3\"", "/nvram/web01_VARS.fd"})
    EXPECT_FALSE(has(xml_, old)) << old;
  EXPECT_TRUE(has(xml_, "autoport=\"yes\""));
  EXPECT_TRUE(has(xml_, "/log/copy.log"));
  EXPECT_TRUE(has(xml_, "/log/copy-serial"));
  EXPECT_TRUE(has(xml_, "org.qemu.guest_agent.0"));
  EXPECT_TRUE(has(xml_, "template=\"/t_VARS.fd\">/nvram/copy_VARS.fd<"));
}

TEST_F(Identity, TheSameMachineKeepsAllButItsImages) {
  const std::string same =
      with_images(DomainXml(kMachine), {.name = "web01", .disks = {{"vda", {"/new/vda.raw", "raw"}}}}).xml;
  EXPECT_EQ(DomainXml(same).uuid(), "11111111-2222-3333-4444-555555555555");
  EXPECT_TRUE(has(same, "52:54:00:11:22:33"));
  EXPECT_EQ(DomainXml(same).disks().at(0).source, "/new/vda.raw");
  EXPECT_EQ(DomainXml(same).disks().at(0).format, "raw");
  EXPECT_EQ(DomainXml(same).disks().at(1).source, "/dev/vg/data");
}

}  // namespace
}  // namespace muster::virt
