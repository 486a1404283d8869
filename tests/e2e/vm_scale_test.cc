// Three hundred machines of one hypervisor: what is asked of all at once must not cost a call each. Runs alone, with
// the long tests: it measures time.
#include <algorithm>

#include "tests/e2e/end_to_end.h"
#include "tests/e2e/hypervisor.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

constexpr int kMachines = 300;

class VmScale : public EndToEnd {
 protected:
  // The best of three, so that it is muster that is measured.
  std::chrono::milliseconds quickest(const std::vector<std::string>& arguments) {
    std::chrono::milliseconds best = 1h;
    for (int i = 0; i < 3; ++i) {
      const auto done = muster(arguments);
      EXPECT_EQ(done.code, 0) << told(done);
      const auto machines = std::count(done.out.begin(), done.out.end(), '\n') - 1;
      EXPECT_GE(machines, kMachines);
      best = std::min(best, done.took);
    }
    RecordProperty(arguments.at(1) + "_milliseconds", static_cast<int>(best.count()));
    return best;
  }
};

TEST_F(VmScale, ThreeHundredMachinesOfTheTestDriverAreListedInASecond) {
  std::string node = "<node>";
  for (int i = 0; i < kMachines; ++i)
    node += "<domain type='test'><name>vm" + std::to_string(i) +
            "</name><memory>65536</memory><vcpu>2</vcpu><os><type>hvm</type></os><devices><disk type='file'><source "
            "file='/" +
            std::to_string(i) + "'/><target dev='vda'/></disk></devices></domain>";
  write(file("node.xml"), node + "</node>");
  use({Host{"vm0"}.set("hypervisor", "test://" + file("node.xml"))});
  EXPECT_LT(quickest({"vm", "list", "--json"}), 1s);
  EXPECT_LT(quickest({"vm", "stats", "--json", "--interval", "1s"}), 2s);
}

TEST_F(VmScale, ThreeHundredMachinesOfLibvirtdAreListedInASecond) {
  const std::string reason = no_hypervisor_because();
  if (!reason.empty()) GTEST_SKIP() << reason;
  const Hypervisor hypervisor;
  std::vector<NoOsDomain> domains;
  for (int i = 0; i < kMachines; ++i) domains.push_back({.name = "vm" + std::to_string(i)});
  hypervisor.define(domains);
  for (int i = 0; i < 5; ++i) hypervisor.virsh({"start", "vm" + std::to_string(i)});
  use({Host{"vm0"}.set("hypervisor", hypervisor.uri())});
  EXPECT_LT(quickest({"vm", "list", "--json"}), 1s);
  EXPECT_LT(quickest({"vm", "stats", "--json", "--interval", "1s"}), 3s);
}

}  // namespace
}  // namespace muster::e2e
