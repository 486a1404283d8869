// The hypervisors' harness against virsh and OpenSSH's client: a test of muster on them means something only if they
// are real, apart from each other and from the machine, and gone afterwards.
#include "tests/e2e/hypervisor.h"

#include <filesystem>
#include <fstream>

#include <signal.h>

#include "base/error.h"
#include "tests/e2e/end_to_end.h"
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

}  // namespace
}  // namespace muster::e2e
