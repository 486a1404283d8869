// A definition's processors, memory, interfaces and drives are others: what cannot be any more goes, and is told, and
// libvirt takes what is left.
#include "virt/machine_size.h"

#include <gtest/gtest.h>

#include "virt/connection.h"

namespace muster::virt {
namespace {

using Words = std::vector<std::string>;

constexpr std::uint64_t kGiB = 1ULL << 30;

const char* const kLarge = R"(<domain type='test'>
  <name>large</name>
  <maxMemory slots='4' unit='GiB'>64</maxMemory>
  <memory unit='GiB' dumpCore='on'>8</memory>
  <currentMemory unit='GiB'>4</currentMemory>
  <vcpu placement='static' cpuset='0-3' current='2'>8</vcpu>
  <vcpus><vcpu id='0' enabled='yes' hotpluggable='no'/><vcpu id='1' enabled='yes' hotpluggable='no'/></vcpus>
  <cputune><shares>512</shares><vcpupin vcpu='7' cpuset='1'/></cputune>
  <numatune><memory mode='strict' nodeset='0'/><memnode cellid='1' mode='strict' nodeset='0'/></numatune>
  <cpu mode='custom'><model>qemu64</model><topology sockets='2' cores='4' threads='1'/>
    <numa><cell id='0' cpus='0-3' memory='4194304'/><cell id='1' cpus='4-7' memory='4194304'/></numa></cpu>
  <os><type>hvm</type></os>
  <devices><emulator>/usr/bin/x</emulator>
    <disk type='file' device='disk'><source file='/a'/><target dev='vda' bus='virtio'/></disk>
    <interface type='user'><mac address='52:54:00:00:00:01'/></interface>
    <disk type='file' device='disk'><source file='/b'/><target dev='vdb' bus='virtio'/></disk>
    <interface type='user'><mac address='52:54:00:00:00:02'/></interface>
  </devices>
</domain>)";

const char* const kSmall =
    "<domain type='test'><name>small</name><memory>1024</memory><os><type>hvm</type></os></domain>";

bool has(const DomainXml& xml, const std::string& part) { return xml.text().find(part) != std::string::npos; }

void expect_taken(const DomainXml& xml) {
  const Connection connection("test:///default");
  EXPECT_NO_THROW(connection.define_as_known(xml.text())) << xml.text();
}

TEST(MachineSize, ProcessorsAreAllThereAndWhatCountedThemIsGone) {
  DomainXml xml(kLarge);
  EXPECT_EQ(set_cpus(xml, 3),
            (Words{"the topology of its processors", "its NUMA cells", "the pinning and weights of its processors"}));
  EXPECT_EQ(xml.cpus(), 3U);
  EXPECT_EQ(xml.max_cpus(), 3U);
  for (const char* gone : {"topology", "<numa>", "cputune", "<vcpus", "memnode"}) EXPECT_FALSE(has(xml, gone)) << gone;
  EXPECT_TRUE(has(xml, "qemu64"));
  EXPECT_TRUE(has(xml, "cpuset=\"0-3\"")) << "where they may run on the host is not how many there are";
  EXPECT_TRUE(has(xml, "<memory mode=\"strict\" nodeset=\"0\"")) << "nor where its memory comes from";
  EXPECT_EQ(set_cpus(xml, 1), Words{}) << "what is gone is told once";
  expect_taken(xml);
}

TEST(MachineSize, MemoryIsWhatItHasAndMayHave) {
  DomainXml xml(kLarge);
  EXPECT_EQ(set_memory(xml, 3 * kGiB), (Words{"its NUMA cells", "the room for memory plugged in later"}));
  EXPECT_EQ(xml.memory_bytes(), 3 * kGiB);
  EXPECT_EQ(xml.current_memory_bytes(), 3 * kGiB);
  EXPECT_TRUE(has(xml, "dumpCore=\"on\""));
  EXPECT_TRUE(has(xml, "topology"));
  EXPECT_FALSE(has(xml, "memnode"));
  expect_taken(xml);
}

TEST(MachineSize, IsSetWhereThereWasNone) {
  DomainXml xml(kSmall);
  EXPECT_EQ(set_cpus(xml, 4), Words{});
  EXPECT_EQ(set_memory(xml, kGiB), Words{});
  EXPECT_EQ(xml.cpus(), 4U);
  EXPECT_EQ(xml.memory_bytes(), kGiB);
  EXPECT_EQ(xml.current_memory_bytes(), kGiB);
  expect_taken(xml);
}

TEST(MachineSize, InterfacesAreReplacedInTheirOrder) {
  DomainXml xml(kLarge);
  set_interfaces(xml, {"<interface type='network'><source network='one'/></interface>",
                       "<interface type='bridge'><source bridge='two'/></interface>", "<interface type='user'/>"});
  const auto interfaces = xml.interfaces();
  ASSERT_EQ(interfaces.size(), 3U);
  EXPECT_EQ(interfaces[0].source, "one");
  EXPECT_EQ(interfaces[1].source, "two");
  EXPECT_EQ(interfaces[2].type, "user");
  EXPECT_EQ(xml.disks().size(), 2U);
  set_interfaces(xml, {});
  EXPECT_TRUE(xml.interfaces().empty());
  DomainXml small(kSmall);
  set_interfaces(small, {"<interface type='user'/>"});
  EXPECT_EQ(small.interfaces().size(), 1U);
}

TEST(MachineSize, AControllerForScsiIsAddedOnce) {
  DomainXml xml(kLarge);
  ensure_virtio_scsi(xml);
  const std::string with_one = xml.text();
  EXPECT_TRUE(has(xml, "<controller type=\"scsi\" model=\"virtio-scsi\""));
  ensure_virtio_scsi(xml);
  EXPECT_EQ(xml.text(), with_one);
  DomainXml other("<domain><name>x</name><devices><controller type='usb'/></devices></domain>");
  ensure_virtio_scsi(other);
  EXPECT_TRUE(has(other, "virtio-scsi"));
  DomainXml there("<domain><name>x</name><devices><controller type='scsi' model='virtio-scsi'/></devices></domain>");
  const std::string before = there.text();
  ensure_virtio_scsi(there);
  EXPECT_EQ(there.text(), before);
}

TEST(MachineSize, ADiskComesAfterTheOthers) {
  const std::string element = "<disk type='file' device='cdrom'><source file='/s.iso'/><target dev='sda'/></disk>";
  DomainXml xml(kLarge);
  add_disk(xml, element);
  ASSERT_EQ(xml.disks().size(), 3U);
  EXPECT_EQ(xml.disks()[0].target, "vda");
  EXPECT_EQ(xml.disks()[1].target, "vdb");
  EXPECT_EQ(xml.disks()[2].target, "sda");
  EXPECT_EQ(xml.disks()[2].source, "/s.iso");
  DomainXml none("<domain><name>x</name><devices><emulator>/x</emulator></devices></domain>");
  add_disk(none, element);
  EXPECT_EQ(none.disks().size(), 1U);
  DomainXml nothing(kSmall);
  add_disk(nothing, element);
  EXPECT_EQ(nothing.disks().size(), 1U);
}

}  // namespace
}  // namespace muster::virt
