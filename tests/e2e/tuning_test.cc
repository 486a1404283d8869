// muster vm set, limit, attach, detach, media and snapshot against a real libvirtd and QEMU; what came of it is asked
// of virsh. One hypervisor for all of them.
#include "tests/e2e/end_to_end.h"
#include "tests/e2e/guest.h"
#include "tests/e2e/hypervisor.h"

namespace muster::e2e {
namespace {

class Tuning : public EndToEnd {
 protected:
  static void SetUpTestSuite() {
    if (no_hypervisor_because().empty()) hypervisor_ = std::make_unique<Hypervisor>();
  }
  static void TearDownTestSuite() { hypervisor_.reset(); }
  void SetUp() override {
    if (!hypervisor_) GTEST_SKIP() << no_hypervisor_because();
  }

  static Hypervisor& hypervisor() { return *hypervisor_; }
  // A machine without a guest system: 1 of 2 CPUs, 64 MiB.
  static void start(const NoOsDomain& domain) {
    hypervisor().define(domain);
    hypervisor().virsh({"start", domain.name});
  }
  // `muster vm ARGUMENT...` on the hypervisor.
  Finished vm(std::vector<std::string> arguments) {
    Launch launch = command({});
    launch.argv = in_clean_environment({program("muster"), "vm"}, {"HOME=" + home(), "TMPDIR=" + file("tmp")});
    launch.argv.insert(launch.argv.end(), arguments.begin(), arguments.end());
    for (const char* word : {"-q", "-c"}) launch.argv.emplace_back(word);
    launch.argv.push_back(hypervisor().uri());
    return run(launch);
  }
  static std::string virsh(const std::vector<std::string>& words) { return hypervisor().virsh(words); }

 private:
  static inline std::unique_ptr<Hypervisor> hypervisor_;
};

TEST_F(Tuning, CpusAndMemoryChangeNowAndForTheNextStart) {
  start({.name = "set1"});
  const auto cpus = vm({"set", "set1", "--cpus", "2"});
  EXPECT_EQ(cpus.out, "set1: cpus 2: now and from the next start\n") << told(cpus);
  EXPECT_EQ(virsh({"vcpucount", "set1", "--live", "--active"}), "2\n");
  EXPECT_EQ(virsh({"vcpucount", "set1", "--config", "--current"}), "2\n");
  const auto more = vm({"set", "set1", "--cpus", "4", "--memory", "128M"});
  EXPECT_EQ(more.out,
            "set1: max-cpus 4: from the next start, the running machine keeps its 2\n"
            "set1: cpus 4: from the next start, the running machine has at most 2\n"
            "set1: max-memory 128M: from the next start, the running machine keeps its 64M\n"
            "set1: memory 128M: from the next start, the running machine has at most 64M\n")
      << told(more);
  EXPECT_EQ(more.code, 0);
  virsh({"destroy", "set1"});
  virsh({"start", "set1"});
  EXPECT_EQ(virsh({"vcpucount", "set1", "--live", "--active"}), "4\n");
  EXPECT_TRUE(contains(virsh({"dommemstat", "set1"}), "actual 131072"));
  // Nobody in there has a balloon driver.
  const auto less = vm({"set", "set1", "--memory", "96M", "--timeout", "0.3s", "--json"});
  const auto changes = json_lines(less.out).front().value("changes", nlohmann::json::array());
  ASSERT_EQ(changes.size(), 1U) << told(less);
  EXPECT_FALSE(changes[0].value("now", true));
  EXPECT_TRUE(changes[0].value("next_start", false));
  EXPECT_TRUE(contains(changes[0].value("reason", ""), "still has 128M after 0.3")) << told(less);
}

TEST_F(Tuning, WhatIsToBeSetIsShownOrChecked) {
  hypervisor().define({.name = "set2"});
  EXPECT_TRUE(contains(vm({"set", "set2", "--cpus", "2", "--dry-run"}).out, "set2: set cpus 2 of set2 on "));
  EXPECT_EQ(virsh({"vcpucount", "set2", "--config", "--current"}), "1\n");
  EXPECT_EQ(vm({"set", "set2"}).code, 2);
  const auto bytes = vm({"set", "set2", "--memory", "2048"});
  EXPECT_EQ(bytes.code, 2) << told(bytes);
  EXPECT_TRUE(contains(bytes.err, "write 2G or 2048M")) << told(bytes);
  EXPECT_EQ(vm({"set", "set2", "--max-cpus", "1", "--cpus", "2"}).code, 2);
}

}  // namespace
}  // namespace muster::e2e
