// A definition that becomes another machine's: every element that may be there only once, and those that stay.
#include "virt/identity.h"

#include <set>

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

// A master's machine, with what a clone must not have in common with it, or with the next clone.
const char* const kMaster = R"(<domain type='kvm'>
  <name>gold</name>
  <uuid>11111111-2222-3333-4444-555555555555</uuid>
  <metadata>
    <nova:instance xmlns:nova='http://nova'><nova:name>gold</nova:name></nova:instance>
    <muster:facts xmlns:muster='urn:x-muster:domain:1'><snapshot/></muster:facts>
    <facts xmlns='urn:x-muster:domain:1'><creating/></facts>
  </metadata>
  <description>of gold</description>
  <resource><partition>/machine/gold-tier</partition></resource>
  <os><type>hvm</type><loader readonly='yes' type='pflash'>/fw.fd</loader></os>
  <sysinfo type='fwcfg'><entry name='opt/x'>kept</entry></sysinfo>
  <sysinfo type='smbios'>
    <bios><entry name='vendor'>kept-bios</entry></bios>
    <system><entry name='uuid'>old-1</entry><entry name='serial'>old-2</entry><entry name='sku'>kept-sku</entry></system>
    <baseBoard><entry name='serial'>old-3</entry><entry name='asset'>old-4</entry></baseBoard>
    <baseBoard><entry name='serial'>old-5</entry><entry name='product'>kept-board</entry></baseBoard>
    <chassis><entry name='asset'>old-6</entry><entry name='serial'>old-7</entry></chassis>
  </sysinfo>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/m/vda.raw'/><target dev='vda'/><serial>old-a</serial><wwn>5000c50015ea71aa</wwn></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/m/vdb.raw'/><target dev='vdb'/><serial>old-b</serial></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/m/vdc.raw'/><target dev='vdc'/></disk>
    <disk type='file' device='disk'><source file='/m/shared.raw'/><target dev='vdd'/><shareable/></disk>
    <disk type='file' device='disk'><source file='/m/tools.raw'/><target dev='vde'/><readonly/></disk>
    <disk type='file' device='cdrom'><source file='/m/install.iso'/><target dev='sda'/><readonly/></disk>
    <disk type='file' device='cdrom'><target dev='sdb'/><readonly/></disk>
    <interface type='network'><mac address='52:54:00:00:00:0a'/><source network='lan'/></interface>
    <interface type='hostdev'><mac address='52:54:00:00:00:0b'/><source><address type='pci'/></source></interface>
    <interface type='vhostuser'><mac address='52:54:00:00:00:0c'/><source type='unix' path='/run/ovs/gold-net' mode='server'/></interface>
    <interface type='vhostuser'><source type='unix' path='/run/ovs/port7' mode='server'/></interface>
    <interface type='ethernet'><target dev='mine0'/></interface>
    <serial type='file'><source path='/log/serial'/></serial>
    <console type='file'><source path='/log/gold/console'/><log file='/log/tty' append='on'/></console>
    <parallel type='unix'><source mode='bind' path='/run/gold.sock'/></parallel>
    <channel type='unix'><source mode='bind' path='/ch/gold/x'/><log file='/log/gold.agent'/><target type='virtio' name='x.0'/></channel>
    <channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>
    <tpm model='tpm-crb'><backend type='emulator' version='2.0' persistent_state='yes'/></tpm>
    <graphics type='spice' port='5901' tlsPort='5902' autoport='no'><listen type='address' address='127.0.0.1'/></graphics>
    <hostdev mode='subsystem' type='usb'/>
    <memory model='nvdimm'><source><path>/m/nvdimm</path></source></memory>
    <memory model='dimm'><target><size>1</size></target></memory>
    <shmem name='gold-ring'><size unit='M'>4</size></shmem>
    <shmem name='everyone'><size unit='M'>4</size></shmem>
  </devices>
  <seclabel type='static' model='selinux'><label>stays</label></seclabel>
  <seclabel type='dynamic' model='dac'><label>goes</label></seclabel>
</domain>)";

class ClonesIdentity : public testing::Test {
 protected:
  static constexpr const char* kUuid = "aaaaaaaa-2222-4333-8444-555555555555";
  static NewIdentity identity_of(const std::string& name, const std::string& uuid) {
    return {.name = name,
            .disks = {{"vda", {"/n/" + name + "-vda.qcow2", "qcow2"}},
                      {"vdb", {"/n/" + name + "-vdb.qcow2", "qcow2"}},
                      {"vdc", {"/dev/vg/" + name, "raw", true}}},
            .keep_disk_serials = false,
            .uuid = uuid,
            .macs = {"52:54:00:00:01:01", "52:54:00:00:01:02"},
            .keep_metadata_of_others = false};
  }
  static std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  }
  bool has(const std::string& part) const { return count(xml_, part) != 0; }
  // What stands in elements of the name, in order.
  static std::vector<std::string> texts_of(const std::string& xml, const std::string& tag) {
    std::vector<std::string> texts;
    const std::string opening = "<" + tag + ">";
    for (std::size_t at = xml.find(opening); at != std::string::npos; at = xml.find(opening, at + 1)) {
      const std::size_t begin = at + opening.size();
      texts.push_back(xml.substr(begin, xml.find('<', begin) - begin));
    }
    return texts;
  }

  const Rewritten rewritten_ = with_new_identity(DomainXml(kMaster), identity_of("web01", kUuid));
  const std::string& xml_ = rewritten_.xml;
};

TEST_F(ClonesIdentity, HasTheUuidItWasGivenAfterItsName) {
  EXPECT_EQ(DomainXml(xml_).name(), "web01");
  EXPECT_EQ(DomainXml(xml_).uuid(), kUuid);
  EXPECT_EQ(count(xml_, "<uuid>"), 1U);
  EXPECT_LT(xml_.find("</name>"), xml_.find("<uuid>"));
}

TEST_F(ClonesIdentity, NumbersInTheFirmwaresTablesAreGone) {
  EXPECT_FALSE(has("old-")) << xml_;
  for (const char* kept : {"kept-bios", "kept-sku", "kept-board", ">kept<"}) EXPECT_TRUE(has(kept)) << kept;
}

TEST_F(ClonesIdentity, InterfacesGetTheMacsInOrderAndLibvirtMakesTheRest) {
  const auto interfaces = DomainXml(xml_).interfaces();
  ASSERT_EQ(interfaces.size(), 4U) << "without that of the host";
  EXPECT_EQ(interfaces[0].mac, "52:54:00:00:01:01");
  EXPECT_EQ(interfaces[1].mac, "52:54:00:00:01:02");
  EXPECT_EQ(interfaces[2].mac, "");
  EXPECT_EQ(interfaces[3].mac, "");
  EXPECT_EQ(count(xml_, "<mac "), 2U);
  auto more = identity_of("web01", kUuid);
  more.macs.resize(9, "52:54:00:00:01:03");
  EXPECT_EQ(count(with_new_identity(DomainXml(kMaster), more).xml, "<mac "), 4U) << "what is left over is nobody's";
}

TEST_F(ClonesIdentity, ADeviceThatTheUserNamedForAnInterfaceStays) { EXPECT_TRUE(has("dev=\"mine0\"")); }

TEST_F(ClonesIdentity, SocketsOfSwitchesAreItsOwn) {
  EXPECT_TRUE(has("path=\"/run/ovs/web01-net\""));
  EXPECT_TRUE(has("path=\"/run/ovs/port7-web01\"")) << "also where the old name was not in it";
}

TEST_F(ClonesIdentity, LinesHaveFilesAndSocketsOfTheirOwn) {
  for (const char* path : {"\"/log/serial-web01\"", "\"/log/web01/console\"", "\"/log/tty-web01\"",
                           "\"/run/web01.sock\"", "\"/log/web01.agent\""})
    EXPECT_TRUE(has(path)) << path;
  EXPECT_FALSE(has("/ch/")) << "libvirt places it";
  EXPECT_TRUE(has("name=\"x.0\""));
  EXPECT_TRUE(has("com.redhat.spice.0"));
  EXPECT_TRUE(has("append=\"on\""));
}

TEST_F(ClonesIdentity, DisksAreTheirsAndReadOnlyOnesShared) {
  const auto disks = DomainXml(xml_).disks();
  ASSERT_EQ(disks.size(), 6U);
  EXPECT_EQ(disks[0].source, "/n/web01-vda.qcow2");
  EXPECT_EQ(disks[0].format, "qcow2");
  EXPECT_EQ(disks[1].source, "/n/web01-vdb.qcow2");
  EXPECT_EQ(disks[2].source, "/dev/vg/web01");
  EXPECT_EQ(disks[2].type, "block");
  EXPECT_EQ(disks[3].source, "/m/tools.raw");
  EXPECT_EQ(disks[4].source, "/m/install.iso");
  EXPECT_EQ(disks[5].source, "") << "an empty drive";
}

TEST_F(ClonesIdentity, SerialNumbersOfDisksAreNewOnlyWhereThereWereAny) {
  const auto serials = texts_of(xml_, "serial"), names = texts_of(xml_, "wwn");
  ASSERT_EQ(serials.size(), 2U);
  ASSERT_EQ(names.size(), 1U);
  for (const auto& serial : serials) {
    EXPECT_EQ(serial.size(), 20U) << "what virtio has room for";
    EXPECT_EQ(serial.find_first_not_of("0123456789abcdef"), std::string::npos) << serial;
  }
  EXPECT_EQ(names[0].size(), 16U);
  EXPECT_EQ(names[0].find_first_not_of("0123456789abcdef"), std::string::npos) << names[0];
  EXPECT_EQ(names[0][0], '3') << "locally assigned";
  EXPECT_NE(serials[0], serials[1]);
}

TEST_F(ClonesIdentity, SerialNumbersOfDisksAreAnothersForEachMachineAndStay) {
  const auto again = with_new_identity(DomainXml(kMaster), identity_of("renamed", kUuid)).xml;
  EXPECT_EQ(texts_of(again, "serial"), texts_of(xml_, "serial"));
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const auto xml = with_new_identity(DomainXml(kMaster), identity_of("web", "uuid-" + std::to_string(i))).xml;
    for (const char* tag : {"serial", "wwn"})
      for (const auto& number : texts_of(xml, tag)) EXPECT_TRUE(seen.insert(number).second) << number;
  }
}

TEST_F(ClonesIdentity, WhatOnlyOneMachineCanHaveIsLeftOutAndTold) {
  EXPECT_EQ(rewritten_.left_out,
            (std::vector<std::string>{"disk vdd", "memory in the file /m/nvdimm", "a device of the host (usb)",
                                      "an interface that is a device of the host"}));
  for (const char* gone : {"shared.raw", "nvdimm", "hostdev"}) EXPECT_FALSE(has(gone)) << gone;
  EXPECT_TRUE(has("model=\"dimm\""));
}

// Its state lies under the UUID, which is new.
TEST_F(ClonesIdentity, KeepsATpmWithoutItsState) {
  EXPECT_EQ(DomainXml(xml_).tpm_version(), "2.0");
  EXPECT_EQ(count(xml_, "<tpm "), 1U);
}

TEST_F(ClonesIdentity, NamesOfGroupsAndSharedMemoryAreItsOwnWhereTheyWereTheMasters) {
  EXPECT_TRUE(has("<partition>/machine/web01-tier</partition>"));
  EXPECT_TRUE(has("name=\"web01-ring\""));
  EXPECT_TRUE(has("name=\"everyone\"")) << "shared on purpose";
}

TEST_F(ClonesIdentity, PortsAreChosenByLibvirt) {
  EXPECT_FALSE(has("5901") || has("5902"));
  EXPECT_TRUE(has("autoport=\"yes\""));
  EXPECT_TRUE(has("address=\"127.0.0.1\"")) << "where it listens stays";
}

TEST_F(ClonesIdentity, MetadataAreGoneOrOthersStayAsAsked) {
  EXPECT_FALSE(has("metadata"));
  EXPECT_FALSE(has("nova"));
  auto keeping = identity_of("web01", kUuid);
  keeping.keep_metadata_of_others = true;
  const std::string kept = with_new_identity(DomainXml(kMaster), keeping).xml;
  EXPECT_EQ(count(kept, "<nova:instance "), 1U);
  EXPECT_EQ(count(kept, "urn:x-muster"), 0U) << "what muster knows of the old one, however it is written";
}

TEST_F(ClonesIdentity, OnlyLabelsThatSomebodyChoseStay) {
  EXPECT_TRUE(has("stays"));
  EXPECT_FALSE(has("goes"));
}

TEST_F(ClonesIdentity, VariablesOfTheFirmwareLieBesideTheMastersHoweverTheyAreWritten) {
  struct {
    const char *before, *after;
  } const cases[] = {
      {"<nvram template='/t.fd'>/nv/gold_VARS.fd</nvram>", "template=\"/t.fd\">/nv/web01_VARS.fd<"},
      {"<nvram>/nv/whatever</nvram>", "<nvram>/nv/web01_VARS.fd</nvram>"},
      {"<nvram template='/t.fd'/>", "<nvram template=\"/t.fd\" />"},
      {"<nvram type='file' template='/t.fd'><source file='/nv/gold_VARS.fd'/></nvram>", "/nv/web01_VARS.fd"},
  };
  for (const auto& one : cases) {
    std::string master = kMaster;
    master.insert(master.find("</os>"), one.before);
    const auto xml = with_new_identity(DomainXml(master), identity_of("web01", kUuid)).xml;
    EXPECT_NE(xml.find(one.after), std::string::npos) << xml.substr(xml.find("<os>"), 300);
    EXPECT_EQ(xml.find("gold_VARS"), std::string::npos) << one.before;
    EXPECT_EQ(xml.find("whatever"), std::string::npos);
  }
}

TEST_F(ClonesIdentity, TwoOfOneMasterShareNothingButWhatIsReadOnly) {
  const auto other =
      with_new_identity(DomainXml(kMaster), identity_of("db-7", "bbbbbbbb-2222-4333-8444-555555555555")).xml;
  for (const char* own : {"web01", kUuid}) EXPECT_EQ(other.find(own), std::string::npos) << own;
  for (const auto& serial : texts_of(xml_, "serial")) EXPECT_EQ(other.find(serial), std::string::npos);
}

}  // namespace
}  // namespace muster::virt
