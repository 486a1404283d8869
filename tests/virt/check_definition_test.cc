// A machine that is booted for a try: what of the original's definition comes along, and that nothing else does.
#include "virt/check_definition.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "virt/emulator.h"

namespace muster::virt {
namespace {

const char* const kMachine = R"(<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>web01</name>
  <uuid>11111111-2222-3333-4444-555555555555</uuid>
  <metadata><muster:facts xmlns:muster='urn:x-muster:domain:1'><secret-of-old/></muster:facts></metadata>
  <memory unit='GiB'>64</memory>
  <vcpu>32</vcpu>
  <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>
  <cputune><vcpupin vcpu='0' cpuset='3'/></cputune>
  <numatune><memory mode='strict' nodeset='1'/></numatune>
  <resource><partition>/slice-of-old</partition></resource>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <loader readonly='yes' type='pflash'>/fw/CODE.fd</loader><nvram template='/fw/T.fd'>/nvram/web01.fd</nvram>
    <kernel>/host/vmlinuz</kernel><initrd>/host/initrd</initrd><cmdline>x</cmdline><smbios mode='host'/></os>
  <features><acpi/><apic/><hyperv mode='custom'><relaxed state='on'/></hyperv><kvm><hidden state='on'/></kvm></features>
  <cpu mode='host-passthrough'/>
  <clock offset='localtime'><timer name='tsc' present='yes'/></clock>
  <devices>
    <emulator>/opt/own-qemu</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/old/web01.qcow2'/><backingStore type='file'><source file='/old/base'/></backingStore><blockio logical_block_size='4096'/><target dev='vda' bus='virtio'/><boot order='2'/><serial>abc</serial><address type='pci' bus='0x04' slot='0x00'/></disk>
    <disk type='network' device='disk'><source protocol='iscsi' name='iqn.x/1'><host name='san'/><auth username='u'><secret type='iscsi' usage='s'/></auth></source><target dev='vdb' bus='virtio'/></disk>
    <disk type='block' device='lun'><source dev='/dev/sdx'/><target dev='sdb' bus='scsi'/></disk>
    <disk type='file' device='cdrom'><source file='/iso/a.iso'/><target dev='sda'/><readonly/><boot order='1'/></disk>
    <controller type='pci' index='0' model='pcie-root'/>
    <controller type='pci' index='1' model='pcie-root-port'><target chassis='1' port='0x8'/><address type='pci' bus='0x00' slot='0x01'/></controller>
    <controller type='virtio-serial' index='0'><address type='pci' bus='0x03' slot='0x00'/></controller>
    <controller type='xenbus' index='0'/>
    <filesystem type='mount'><source dir='/export/share'/><target dir='share'/></filesystem>
    <interface type='bridge'><mac address='52:54:00:11:22:33'/><source bridge='br-lan'/><model type='e1000e'/><address type='pci' bus='0x01' slot='0x00'/></interface>
    <interface type='network'><source network='prod-net'/></interface>
    <interface type='hostdev'><source><address type='pci' slot='0x09'/></source></interface>
    <serial type='tcp'><source mode='connect' host='logs' service='4555'/></serial>
    <channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>
    <graphics type='vnc' port='5901' passwd='vnc-secret'/>
    <video><model type='qxl' vram='65536'/></video>
    <sound model='ich9'/>
    <tpm model='tpm-crb'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>
    <hostdev mode='subsystem' type='pci'><source><address slot='0x05'/></source></hostdev>
    <hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/></source></hostdev>
    <redirdev bus='usb' type='tcp'/>
    <shmem name='shared-memory'/>
    <rng model='virtio'><backend model='random'>/dev/hwrng</backend></rng>
    <vsock model='virtio'><cid auto='no' address='3'/></vsock>
    <iommu model='intel'/>
    <unheard of='it'/>
  </devices>
  <qemu:commandline><qemu:arg value='-fsdev'/><qemu:arg value='local,path=/etc'/><qemu:env name='E' value='v'/></qemu:commandline>
  <qemu:override><qemu:device alias='x'/></qemu:override>
  <seclabel type='static' model='dac'><label>+0:+0</label></seclabel>
</domain>)";

class CheckDefinition : public testing::Test {
 protected:
  static CheckMachine machine() {
    return {.name = "muster-check-1",
            .disks = {{"vda", "/sockets/vda"}},
            .most_memory_bytes = std::uint64_t{2} << 30,
            .most_cpus = 2,
            .offer = {.domain_type = "kvm", .os_type = "hvm", .arch = "x86_64", .machine = ""},
            .loaders = {"/fw/CODE.fd"},
            .variables = "/sockets/nvram.fd",
            .mark = {.name = "boot-check"}};
  }
  static std::string made(const CheckMachine& wanted, const std::string& from = kMachine) {
    return check_definition(DomainXml(from), wanted);
  }
  static bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
  const std::string xml_ = made(machine());
};

TEST_F(CheckDefinition, NothingOfTheHostComesAlong) {
  for (const char* part : {"11111111",     "secret-of-old",
                           "memfd",        "vcpupin",
                           "numatune",     "slice-of-old",
                           "/nvram/web01", "/fw/T.fd",
                           "/host/",       "cmdline>x",
                           "smbios",       "hyperv",
                           "hidden",       "passthrough",
                           "timer",        "own-qemu",
                           "/old/",        "iscsi",
                           "san",          "/dev/",
                           "a.iso",        "cdrom",
                           "xenbus",       "filesystem",
                           "share",        "52:54:00:11:22:33",
                           "br-lan",       "prod-net",
                           "bridge",       "hostdev",
                           "tcp'",         "logs",
                           "spice",        "vnc",
                           "65536",        "sound",
                           "tpm",          "redirdev",
                           "shmem",        "rng",
                           "vsock",        "iommu",
                           "unheard",      "fsdev",
                           "/etc",         "qemu:env",
                           "override",     "seclabel",
                           "web01<"})
    EXPECT_FALSE(has(xml_, part)) << part << " in " << xml_;
}

TEST_F(CheckDefinition, ItsHardwareDoes) {
  const DomainXml made_xml(xml_);
  EXPECT_EQ(made_xml.name(), "muster-check-1");
  EXPECT_EQ(made_xml.uuid(), "") << "libvirt makes one";
  EXPECT_EQ(made_xml.machine(), "pc-q35-7.2");
  EXPECT_EQ(made_xml.nvram(), "/sockets/nvram.fd");
  EXPECT_EQ(made_xml.memory_bytes(), std::uint64_t{2} << 30);
  EXPECT_EQ(made_xml.cpus(), 2U);
  for (const char* part :
       {"<loader readonly=\"yes\" type=\"pflash\">/fw/CODE.fd</loader>", "<acpi", "<serial>abc</serial>",
        "logical_block_size=\"4096\"", "<boot order=\"2\"", "offset=\"localtime\"", "mode=\"host-model\"",
        "socket=\"/sockets/vda\"", "org.qemu.guest_agent.0", "<serial type=\"pty\"", "boot-check"})
    EXPECT_TRUE(has(xml_, part)) << part << " not in " << xml_;
  ASSERT_EQ(made_xml.disks().size(), 1U);
  EXPECT_EQ(made_xml.disks()[0].bus, "virtio");
}

TEST_F(CheckDefinition, ItsOnlyNetworkLeadsNowhere) {
  EXPECT_FALSE(has(xml_, "<interface"));
  EXPECT_TRUE(has(xml_, "user,id=muster-check,restrict=on\"")) << xml_;
  // Kind and place are the original's: settings inside are by its name.
  EXPECT_TRUE(has(xml_, "&quot;driver&quot;:&quot;e1000e&quot;")) << xml_;
  EXPECT_TRUE(has(xml_, "&quot;bus&quot;:&quot;pci.1&quot;")) << xml_;
  CheckMachine reached = machine();
  reached.ssh = CheckMachine::Ssh::forwarded;
  EXPECT_TRUE(has(made(reached), "restrict=on,hostfwd=tcp:127.0.0.1:0-:22\""));
}

TEST_F(CheckDefinition, EmulatedItHasTheProcessorThatIsEmulated) {
  CheckMachine emulated = machine();
  emulated.offer = {.domain_type = "qemu", .os_type = "hvm", .arch = "x86_64", .machine = "", .emulated = true};
  EXPECT_TRUE(has(made(emulated), "<domain type=\"qemu\""));
  EXPECT_TRUE(has(made(emulated), "mode=\"maximum\""));
}

TEST_F(CheckDefinition, FirmwareIsOneThatTheHypervisorOffers) {
  CheckMachine other = machine();
  other.loaders = {"/fw/OTHER.fd"};
  EXPECT_THROW(made(other), base::Error);
}

TEST_F(CheckDefinition, DisksThatTheDefinitionLacksAreAnError) {
  CheckMachine more = machine();
  more.disks.push_back({"vdz", "/sockets/vdz"});
  EXPECT_THROW(made(more), base::Error);
}

TEST_F(CheckDefinition, AContainerIsNoMachine) {
  EXPECT_THROW(made(machine(), "<domain type='lxc'><name>c</name><memory>1</memory><os><type>exe</type></os></domain>"),
               base::Error);
}

TEST(ForwardedPort, IsFoundInWhatQemuSays) {
  const std::string said =
      "Hub -1 (muster-check):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n"
      "  TCP[HOST_FORWARD]  10       127.0.0.1 34947       10.0.2.15    22     0     0\r\n";
  EXPECT_EQ(forwarded_port(said, 22), 34947);
  EXPECT_EQ(forwarded_port(said, 23), std::nullopt);
  EXPECT_EQ(forwarded_port("", 22), std::nullopt);
}

}  // namespace
}  // namespace muster::virt
