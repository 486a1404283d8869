// kill -9 of muster vm set, limit, attach, detach, media and snapshot between any two of their calls that change
// something: what is there then is what was before, what was wanted, or what the same command makes whole when it is
// given again. A relay in front of libvirtd says where the command stands.
#include <functional>

#include "tests/e2e/guest.h"
#include "tests/e2e/kill_between_changes.h"
#include "tests/e2e/on_hypervisor.h"

namespace muster::e2e {
namespace {

using Words = std::vector<std::string>;

class Killed : public OnHypervisor {
 protected:
  void SetUp() override {
    OnHypervisor::SetUp();
    if (IsSkipped()) return;
    const std::string socket = hypervisor().uri().substr(hypervisor().uri().find('=') + 1);
    relay_ = std::make_unique<LibvirtRelay>(file("relay"), socket);
  }
  void TearDown() override {
    relay_.reset();
    EndToEnd::TearDown();
  }

  LibvirtRelay& relay() { return *relay_; }

  Launch vm_on(Words words, const std::string& uri) const {
    words.emplace_back("-q");
    return vm_command(words, uri);
  }
  Finished vm(const Words& words) const { return run(vm_on(words, hypervisor().uri())); }

  bool killed_before(const Words& words, int changes, Whom whom) {
    return e2e::killed_before(relay(), vm_on(words, relay().uri()), changes, whom);
  }

  // Kills `words` at each of their changes, gives them again, and compares `facts` with what they are when nobody kills
  // it. `reset` brings the machine back to what it was before. Returns at how many places.
  int kill_everywhere(const Words& words, const std::function<void()>& reset,
                      const std::function<std::string()>& facts) {
    EXPECT_EQ(vm(words).code, 0);
    const std::string wanted = facts();
    int places = 0;
    for (bool killed = true; killed && places < 20; ++places) {
      reset();
      EXPECT_NE(facts(), wanted);
      const Whom whom = places % 2 == 0 ? Whom::both : Whom::muster;
      killed = killed_before(words, places, whom);
      const auto again = vm(words);
      // What is gone already cannot be detached.
      EXPECT_TRUE(again.code == 0 || contains(again.err, "has no disk and no interface")) << told(again);
      EXPECT_EQ(facts(), wanted) << "killed before change " << places << "\n" << told(again);
    }
    return places - 1;
  }

  static std::string definitions(const std::string& name) {
    return virsh({"dumpxml", name}) + virsh({"dumpxml", "--inactive", name});
  }

 private:
  std::unique_ptr<LibvirtRelay> relay_;
};

TEST_F(Killed, ResourcesAndLimits) {
  hypervisor().define({.name = "web01"});
  virsh({"start", "web01"});
  const auto facts = [] {
    std::string all;
    for (const char* when : {"--live", "--config"})
      all += virsh({"schedinfo", "web01", when}) + virsh({"vcpupin", "web01", when}) +
             virsh({"blkdeviotune", "web01", "vda", when});
    return all + virsh({"vcpucount", "web01"}) + virsh({"dommemstat", "web01"}).substr(0, 16) +
           virsh({"dumpxml", "--inactive", "web01", "--xpath", "/domain/memory|/domain/currentMemory"});
  };
  const auto small = [] {
    virsh({"destroy web01; setvcpus web01 1 --config; setvcpus web01 2 --config --maximum; start web01"});
  };
  // The maximum and the number of the next start, and the running machine's.
  EXPECT_EQ(kill_everywhere({"set", "web01", "--cpus", "2", "--max-cpus", "4"}, small, facts), 3);
  const auto free = [] {
    virsh(
        {"schedinfo web01 --live --set global_quota=-1; schedinfo web01 --config --set global_quota=-1; "
         "vcpupin web01 0 r --live; vcpupin web01 1 r --live; vcpupin web01 0 r --config; vcpupin web01 1 r --config; "
         "blkdeviotune web01 vda 0 0 0 0 0 0 --live; blkdeviotune web01 vda 0 0 0 0 0 0 --config"});
  };
  const Words limit{"limit", "web01", "--cpu-quota", "150%", "--cpu-pin", "0", "--disk", "vda=iops:100"};
  EXPECT_GE(kill_everywhere(limit, free, facts), 6);
}

TEST_F(Killed, DevicesAndMedia) {
  hypervisor().define({.name = "web02"});
  virsh({"start", "web02"});
  const std::string image = hypervisor().make_disk("web02-data"), medium = hypervisor().directory() + "/cd.iso";
  run({.argv = {"truncate", "-s", "1M", medium}});
  const auto facts = [] { return virsh({"domblklist", "web02"}) + virsh({"domblklist", "web02", "--inactive"}); };
  const Words attach{"attach", "web02", "disk=" + image + ",bus=scsi,target=sda"}, detach{"detach", "web02", "sda"};
  EXPECT_EQ(kill_everywhere(
                attach, [&] { vm(detach); }, facts),
            1);
  EXPECT_EQ(kill_everywhere(
                detach, [&] { vm(attach); }, facts),
            2);
  const Words insert{"media", "insert", "web02", medium}, eject{"media", "eject", "web02"};
  EXPECT_EQ(kill_everywhere(
                insert, [&] { vm(eject); }, facts),
            2);
  EXPECT_EQ(kill_everywhere(
                eject, [&] { vm(insert); }, facts),
            2);
}

// Not the command is killed, but what it works on.
TEST_F(Killed, AMachineOrADaemonThatVanishesMeanwhileIsNamed) {
  hypervisor().define({.name = "web03"});
  virsh({"start", "web03"});
  const Words words{"set", "web03", "--cpus", "2"};
  relay().let_through(0);
  MusterProcess orphaned(vm_on(words, relay().uri()));
  ASSERT_TRUE(wait_until([&] { return relay().holds(); }));
  hypervisor().kill_daemon();
  relay().release();
  const auto unreachable = orphaned.finish();
  EXPECT_EQ(unreachable.code, 15) << told(unreachable);
  hypervisor().restart();
  relay().let_through(1);
  MusterProcess bereft(vm_on(words, relay().uri()));
  ASSERT_TRUE(wait_until([&] { return relay().holds(); }));
  virsh({"destroy web03; undefine web03"});
  relay().release();
  const auto gone = bereft.finish();
  EXPECT_EQ(gone.code, 2) << told(gone);
  EXPECT_TRUE(contains(gone.err, "web03") && contains(gone.err, "Domain not found")) << told(gone);
}

TEST_F(Killed, AGuestIsThawedByWhoeverIsLeft) {
  Guest guest(hypervisor(), {.seed = {.host_name = "guest1"}});
  guest.start();
  ASSERT_TRUE(guest.wait_for_agent());
  const auto status = [] {
    return hypervisor().try_virsh({"qemu-agent-command", "guest1", R"({"execute":"guest-fsfreeze-status"})"}).out;
  };
  const Words words{"snapshot", "create", "guest1", "before", "--quiesce"};
  const auto names = [] { return virsh({"snapshot-list", "guest1", "--name"}); };
  // Frozen, and no snapshot yet.
  ASSERT_TRUE(killed_before(words, 1, Whom::both));
  EXPECT_TRUE(wait_until([&] { return contains(status(), "thawed"); })) << status();
  EXPECT_EQ(names(), "");
  // Made, and not thawed.
  ASSERT_TRUE(killed_before(words, 2, Whom::both));
  EXPECT_TRUE(wait_until([&] { return contains(status(), "thawed"); })) << status();
  EXPECT_EQ(names(), "before\n");
  const auto again = vm(words);
  EXPECT_EQ(again.code, 5) << told(again);
  EXPECT_TRUE(contains(again.err, "'guest1' has a snapshot 'before' already")) << told(again);
  EXPECT_EQ(vm({"snapshot", "revert", "guest1", "before", "--yes"}).code, 0);
  EXPECT_TRUE(contains(status(), "thawed")) << status();
}

}  // namespace
}  // namespace muster::e2e
