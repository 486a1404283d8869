// The hypervisors' harness against virsh and OpenSSH's client: a test of muster on them means something only if they
// are real, apart from each other and from the machine, and gone afterwards.
#include "tests/e2e/hypervisor.h"

#include <algorithm>
#include <filesystem>

#include <signal.h>

#include "base/error.h"
#include "tests/e2e/end_to_end.h"
#include "tests/e2e/guest.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

class HypervisorBed : public EndToEnd {
 protected:
  void SetUp() override {
    const std::string reason = no_hypervisor_because();
    if (!reason.empty()) GTEST_SKIP() << reason;
  }
  Finished run_ssh(const Guest& guest, const std::string& what) const {
    return run({.argv = {"ssh", "-F", "none", "-i", key().file, "-o", "UserKnownHostsFile=" + file("known_hosts"), "-o",
                         "BatchMode=yes", "-o", "ConnectTimeout=10", "-p", std::to_string(guest.endpoint().port),
                         "root@" + guest.endpoint().address, what},
                .environment = {"HOME=" + home()}});
  }
};

// What a hypervisor of `bed` could leave on the machine.
std::string left_of(const std::string& bed) {
  std::string left;
  if (std::filesystem::exists(bed)) left += bed + ": " + listing(bed) + '\n';
  const auto processes = run({.argv = {"pgrep", "-af", bed}});
  left += processes.out;
  const auto mounts = run({.argv = {"grep", "-F", bed, "/proc/self/mounts"}});
  return left + mounts.out;
}

TEST_F(HypervisorBed, DomainsOutliveTheDaemonAndEndWithTheHypervisor) {
  pid_t qemu = 0;
  {
    Hypervisor hypervisor({.bed = file("bed")});
    hypervisor.define({.name = "web01", .scsi_disk = hypervisor.make_disk("second")});
    hypervisor.virsh({"start", "web01"});
    const auto found = run({.argv = {"pgrep", "-f", "guest=web01.*" + file("bed")}});
    qemu = static_cast<pid_t>(std::stol(found.out));
    EXPECT_TRUE(is_running(qemu));
    hypervisor.kill_daemon();
    EXPECT_NE(hypervisor.try_virsh({"list"}).code, 0);
    EXPECT_TRUE(is_running(qemu));
    hypervisor.restart();
    EXPECT_EQ(hypervisor.state("web01"), "running");
    EXPECT_EQ(hypervisor.virsh({"hostname"}), "hv1\n");
  }
  EXPECT_FALSE(is_running(qemu));
  EXPECT_EQ(left_of(file("bed")), "");
}

TEST_F(HypervisorBed, DomainsMigrateLiveBetweenHypervisors) {
  for (const auto network : {Hypervisor::Network::shared, Hypervisor::Network::own}) {
    Hypervisor source({.name = "hv1", .network = network, .bed = file("bed"), .address = "10.77.0.1/24"});
    Hypervisor target({.name = "hv2", .network = network, .bed = file("bed"), .address = "10.77.0.2/24"});
    source.define({.name = "web01"});
    source.virsh({"start", "web01"});
    // By this process, and back by libvirtd itself. The disk lies on a file system both see, which libvirt cannot know.
    source.virsh({"migrate", "--live", "--persistent", "--undefinesource", "--unsafe", "web01", target.uri()});
    EXPECT_EQ(target.state("web01"), "running");
    EXPECT_EQ(source.virsh({"list", "--all", "--name"}), "");
    target.virsh({"migrate", "--live", "--p2p", "--persistent", "--undefinesource", "--unsafe", "web01", source.uri()});
    EXPECT_EQ(source.state("web01"), "running");
    EXPECT_EQ(target.virsh({"list", "--all", "--name"}), "");
  }
  EXPECT_EQ(left_of(file("bed")), "");
}

TEST_F(HypervisorBed, ContainersRun) {
  const Hypervisor hypervisor;
  const std::string domain = file("container.xml");
  write(domain,
        "<domain type='lxc'><name>c1</name><memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type>exe</type>"
        "<init>/bin/sleep</init><initarg>1000</initarg></os><devices><console type='pty'/></devices></domain>");
  const auto on_lxc = [&](const std::vector<std::string>& words) {
    std::vector<std::string> argv = {"virsh", "-q", "-c", hypervisor.lxc_uri()};
    argv.insert(argv.end(), words.begin(), words.end());
    return run({.argv = argv});
  };
  const auto created = on_lxc({"create", domain});
  // The kernel's side: a controller that is not mounted, or mounted read-only.
  if (contains(created.err, "cgroup")) GTEST_SKIP() << "no containers without control groups: " << created.err;
  ASSERT_EQ(created.code, 0) << told(created);
  EXPECT_EQ(on_lxc({"domstate", "c1"}).out, "running\n");
  EXPECT_EQ(on_lxc({"destroy", "c1"}).code, 0);
  EXPECT_EQ(on_lxc({"list", "--all", "--name"}).out, "");
}

TEST_F(HypervisorBed, HangingDaemonAcceptsAndSaysNothing) {
  Hypervisor hypervisor;
  hypervisor.hang();
  auto listing = run({.argv = {"virsh", "-q", "-c", hypervisor.uri(), "list"}, .deadline = 1s});
  EXPECT_TRUE(listing.late) << told(listing);
  hypervisor.wake();
  EXPECT_EQ(hypervisor.virsh({"list", "--name"}), "");
  hypervisor.hang();
  hypervisor.restart();
  EXPECT_EQ(hypervisor.virsh({"list", "--name"}), "");
}

TEST_F(HypervisorBed, StartThatGoesWrongLeavesNothing) {
  const Hypervisor::Options impossible{
      .network = Hypervisor::Network::own, .bed = file("bed"), .address = "10.77.0.1/99"};
  EXPECT_THROW(const Hypervisor hypervisor(impossible), base::Error);
  EXPECT_EQ(left_of(file("bed")), "");
  // Nor does it touch the one that is there.
  const Hypervisor hypervisor({.bed = file("bed")});
  EXPECT_THROW(const Hypervisor again({.bed = file("bed")}), base::Error);
  EXPECT_EQ(hypervisor.virsh({"hostname"}), "hv1\n");
}

TEST_F(HypervisorBed, LibvirtsTestDriverIsThere) {
  const auto done = run({.argv = {"virsh", "-q", "-c", "test:///default", "list", "--name"}});
  EXPECT_EQ(done.out, "test\n") << told(done);
}

TEST_F(HypervisorBed, HoldsManyDomains) {
  const Hypervisor hypervisor;
  std::vector<NoOsDomain> domains;
  for (int i = 0; i < 100; ++i) domains.push_back({.name = "vm" + std::to_string(i)});
  hypervisor.define(domains);
  const std::string names = hypervisor.virsh({"list", "--all", "--name"});
  EXPECT_EQ(std::count(names.begin(), names.end(), '\n'), 100);
}

TEST_F(HypervisorBed, CrashOfTheTestEndsItsHypervisor) {
  // The script as a test starts it, and a shell in the test's place.
  const std::string script = std::string(MUSTER_SOURCE_DIR) + "/tests/testbed/hypervisor";
  MusterProcess test({.argv = {"sh", "-c", "setpriv --pdeathsig TERM " + script + " run hv1 127.61.0.1 & wait"},
                      .environment = {"MUSTER_TESTBED=" + file("bed")}});
  ASSERT_TRUE(test.wait_for("up"));
  ::kill(test.pid(), SIGKILL);
  EXPECT_TRUE(wait_until([&] { return left_of(file("bed")).empty(); }));
}

TEST_F(HypervisorBed, GuestTakesItsSeedAndAnswers) {
  Hypervisor hypervisor({.bed = file("bed")});
  Guest guest(hypervisor, {.seed = {.host_name = "web01",
                                    .authorized_keys = {key().public_line},
                                    .commands = {"echo \"it's here\" > /root/seeded"}}});
  guest.start();
  write(file("known_hosts"), "[" + guest.endpoint().address + "]:2222 " + guest.host_key() + '\n');
  const auto done = run_ssh(guest, "hostname; cat /root/seeded");
  EXPECT_EQ(done.out, "web01\nit's here\n") << told(done) << guest.console();
  EXPECT_TRUE(guest.wait_for_agent());
  hypervisor.virsh({"shutdown", "web01", "--mode", "acpi"});
  EXPECT_TRUE(wait_until([&] { return hypervisor.state("web01") == "shut off"; }, 20'000)) << guest.console();
}

TEST_F(HypervisorBed, GuestBootsFromItsDiskOnAVirtualNetwork) {
  Hypervisor hypervisor({.network = Hypervisor::Network::own});
  Guest guest(hypervisor, {.seed = {.host_name = "web01", .authorized_keys = {key().public_line}},
                           .boot = Guest::Boot::disk,
                           .link = Guest::Link::network});
  guest.start();
  write(file("known_hosts"),
        "[" + guest.endpoint().address + "]:" + std::to_string(guest.endpoint().port) + ' ' + guest.host_key() + '\n');
  EXPECT_EQ(run_ssh(guest, "hostname").out, "web01\n");
}

}  // namespace
}  // namespace muster::e2e
