// The life of one small real guest, told in one go: made, started, reached over SSH, paused, saved, taken back to a
// snapshot, changed, moved to another hypervisor while it runs, deleted and brought back. What its root wrote in the
// beginning is asked for after each step.
#include <filesystem>

#include "tests/e2e/end_to_end.h"
#include "tests/e2e/guest.h"
#include "tests/e2e/hypervisor.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

class GuestLife : public EndToEnd {
 protected:
  void SetUp() override {
    if (const std::string reason = no_hypervisor_because(); !reason.empty()) GTEST_SKIP() << reason;
    // Networks of their own: both have one that is called `default`.
    first_ = hypervisor("hv3", "10.77.0.3/24");
    second_ = hypervisor("hv4", "10.77.0.4/24");
    first_->virsh({"pool-create-as", "images", "dir", "--target", first_->directory()});
    std::filesystem::copy_file(guest_image().disk, first_->directory() + "/tiny.qcow2");
    write(file("key.pub"), key().public_line + "\n");
  }

  std::unique_ptr<Hypervisor> hypervisor(const std::string& name, const std::string& address) const {
    auto made = std::make_unique<Hypervisor>(
        Hypervisor::Options{.name = name, .network = Hypervisor::Network::own, .bed = file("bed"), .address = address});
    made->virsh({"net-start", "default"});
    return made;
  }

  // What `muster vm WORD...` prints.
  std::string vm(std::vector<std::string> words) {
    words.insert(words.begin(), "vm");
    words.emplace_back("-q");
    const auto done = muster(words);
    EXPECT_EQ(done.code, 0) << words.at(1) << ": " << told(done);
    return done.out;
  }
  nlohmann::json result(std::vector<std::string> words) {
    words.emplace_back("--json");
    const auto lines = json_lines(vm(words));
    return lines.empty() ? nlohmann::json::object() : lines.front();
  }

  // It is on `home`, at the address that its lease has there: waits until it lets somebody in.
  void meet(Hypervisor& home) {
    use({Host{"web01"}.set("hypervisor", home.uri())});
    const std::string leased = result({"wait", "web01", "--for", "ip"}).value("address", "");
    // As somebody on the hypervisor, whose network has the addresses that it knows.
    for (const std::string milestone : {"ssh", "port:22"})
      EXPECT_EQ(run({.argv = home.inside({program("muster"), "vm", "wait", "web01", "--for", milestone, "-c",
                                          home.uri(), "-q", "--timeout", "60s"})})
                    .out,
                "web01: " + leased + "\n")
          << milestone;
    const Endpoint door = home.reach({.address = leased, .port = 22});
    Host reached = host(door, "web01");
    use({reached.set("hypervisor", home.uri()).set("user", "root")});
    EXPECT_EQ(vm({"wait", "web01", "--for", "ssh"}), "web01: " + door.address + "\n");
  }
  // What the guest's shell prints.
  std::string inside(const std::string& command) {
    const auto done = muster({"run", "web01", "-q", "--no-prefix", "--host-keys", "accept-new", "--known-hosts",
                              file("known_hosts"), "--", command});
    EXPECT_EQ(done.code, 0) << command << ": " << told(done);
    return done.out;
  }
  // Of the file, of what memory holds, and of this very start of the guest.
  std::string precious() { return inside("sha256sum /root/precious"); }
  std::string memory() { return inside("sha256sum /run/bytes; cat /proc/sys/kernel/random/boot_id"); }

  std::unique_ptr<Hypervisor> first_, second_;
};

TEST_F(GuestLife, NothingIsLostFromItsMakingToItsUndeletion) {
  // Made, and reached over SSH.
  use({Host{"web01"}.set("hypervisor", first_->uri())});
  EXPECT_EQ(vm({"create", "web01", "--disk", "300M,backing=tiny.qcow2", "--memory", "192M", "--hostname", "anna",
                "--ssh-key", file("key.pub")}),
            "web01: made, shut off\n");
  EXPECT_EQ(vm({"set", "web01", "--max-cpus", "2"}), "web01: max-cpus 2: from the next start\n");
  EXPECT_EQ(vm({"start", "web01"}), "web01: running\n");
  meet(*first_);
  EXPECT_EQ(inside("hostname; cat /sys/block/vda/size; ls /dev/virtio-ports; nproc"),
            "anna\n614400\norg.qemu.guest_agent.0\n1\n");
  const std::string written = inside("head -c 3000000 /dev/urandom >/root/precious; sync; sha256sum /root/precious");
  inside("head -c 3000000 /dev/urandom >/run/bytes");
  const std::string remembered = memory();

  // Paused, saved, and on it goes.
  EXPECT_EQ(vm({"pause", "web01"}), "web01: paused\n");
  EXPECT_EQ(vm({"resume", "web01"}), "web01: running\n");
  EXPECT_EQ(vm({"save", "web01"}), "web01: saved\n");
  EXPECT_EQ(vm({"start", "web01"}), "web01: running\n");
  vm({"wait", "web01", "--for", "ssh"});
  EXPECT_EQ(memory(), remembered);

  // A snapshot, a mistake, and back.
  vm({"wait", "web01", "--for", "agent"});
  EXPECT_EQ(vm({"snapshot", "create", "web01", "before", "--quiesce"}), "web01: snapshot before (running)\n");
  inside("echo oops >/root/precious; sync");
  EXPECT_NE(precious(), written);
  vm({"snapshot", "revert", "web01", "before", "--yes"});
  vm({"wait", "web01", "--for", "ssh"});
  EXPECT_EQ(precious(), written);
  EXPECT_EQ(memory(), remembered);

  // More CPUs, less memory, a disk that comes and goes; limits that are what they were set to; another medium.
  EXPECT_EQ(vm({"set", "web01", "--cpus", "2", "--memory", "160M"}),
            "web01: cpus 2: now and from the next start\nweb01: memory 160M: now and from the next start\n");
  EXPECT_TRUE(wait_until([&] { return inside("ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l") == "2\n"; }));
  EXPECT_LT(std::stol("0" + inside("sed -n 's/MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo")), 160 * 1024);
  // libvirt would start it without the CPU that was plugged in, and QEMU would not find its state.
  const auto late = muster({"vm", "snapshot", "create", "web01", "late"});
  EXPECT_EQ(late.code, 4) << told(late);
  EXPECT_TRUE(contains(late.err, "plugged in while it ran")) << told(late);
  vm({"attach", "web01", "disk=" + first_->make_disk("data")});
  EXPECT_TRUE(wait_until([&] { return contains(inside("cat /proc/partitions"), "vdb"); }));
  EXPECT_EQ(vm({"detach", "web01", "vdb"}), "web01: vdb detached: now and from the next start\n");
  EXPECT_FALSE(contains(inside("cat /proc/partitions"), "vdb"));
  const std::string limited =
      vm({"limit", "web01", "--cpu-quota", "150%", "--cpu-shares", "512", "--disk", "vda=iops:2000"});
  EXPECT_TRUE(contains(limited, "web01: cpu-quota 150%\n") && contains(limited, "web01: vda iops 2000\n")) << limited;
  EXPECT_EQ(vm({"limit", "web01"}), limited);
  EXPECT_TRUE(contains(inside("mount -o ro /dev/sr0 /mnt && cat /mnt/meta-data && umount /mnt"), "anna"));
  write_seed(first_->directory() + "/berta.iso", {.host_name = "berta"});
  vm({"media", "insert", "web01", first_->directory() + "/berta.iso"});
  EXPECT_TRUE(contains(inside("mount -o ro /dev/sr0 /mnt && cat /mnt/meta-data && umount /mnt"), "berta"));

  // To another hypervisor.
  const std::string moved = vm({"migrate", "web01", "--to", second_->uri()});
  EXPECT_TRUE(moved.starts_with("web01: running on " + second_->uri())) << moved;
  EXPECT_EQ(first_->virsh({"list", "--all", "--name"}), "");
  use({Host{"web01"}.set("hypervisor", second_->uri())});
  EXPECT_EQ(vm({"limit", "web01"}), limited);
  EXPECT_EQ(second_->virsh({"snapshot-list", "web01", "--name"}), "before\n");
  vm({"wait", "web01", "--for", "agent"});
  meet(*second_);
  EXPECT_EQ(precious(), written);
  EXPECT_EQ(memory(), remembered);

  // Deleted, and brought back.
  const auto deleted = muster({"vm", "delete", "web01", "--yes", "-v"});
  EXPECT_EQ(deleted.code, 0) << told(deleted);
  EXPECT_TRUE(contains(deleted.err, "disable-logins: done")) << told(deleted);
  EXPECT_FALSE(contains(deleted.err, "not disabled")) << told(deleted);
  EXPECT_EQ(vm({"list"}), "");
  EXPECT_EQ(vm({"undelete", "web01"}), "web01: back, shut off; it was running when it was deleted\n");
  EXPECT_EQ(vm({"start", "web01"}), "web01: running\n");
  meet(*second_);
  EXPECT_EQ(precious(), written);
  EXPECT_EQ(inside("test ! -e /run/nologin && nproc"), "2\n");
}

}  // namespace
}  // namespace muster::e2e
