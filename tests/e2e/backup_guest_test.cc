// Backups of a real guest: its file systems are frozen for the moment that counts, and go on whatever happens to
// muster.
#include <algorithm>
#include <filesystem>
#include <optional>

#include <signal.h>

#include "tests/e2e/backup_fixture.h"
#include "tests/e2e/guest.h"
#include "tests/e2e/hypervisor.h"
#include "tests/e2e/libvirt_relay.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

using nlohmann::json;

class BackupGuest : public BackupTest {
 protected:
  void SetUp() override {
    if (const auto why = no_hypervisor_because(); !why.empty()) GTEST_SKIP() << why;
    hypervisor_.emplace();
    guest_.emplace(*hypervisor_,
                   Guest::Options{.seed = {.host_name = "web01", .authorized_keys = {key().public_line}}});
    guest_->start();
    ASSERT_TRUE(guest_->wait_for_agent());
    make_repository();
  }

  Words create_words(const std::string& uri, const Words& more = {}) const {
    Words words{"create", uri + "#web01", "--scratch", hypervisor_->directory(), "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  json create(const Words& more = {}) {
    return json_lines(expect(0, create_words(hypervisor_->uri(), more)).out).at(0);
  }
  // What the agent says; asking does not disturb it.
  std::string freeze_status() const {
    return hypervisor_->try_virsh({"qemu-agent-command", "web01", R"({"execute":"guest-fsfreeze-status"})"}).out;
  }
  bool frozen() const { return contains(freeze_status(), "frozen"); }
  bool thawed() const { return contains(freeze_status(), "thawed"); }
  std::string in_guest(const std::string& domain, const std::string& command) const {
    return printed_in_guest(*hypervisor_, domain, command);
  }
  std::string relayed_socket() const { return hypervisor_->uri().substr(hypervisor_->uri().find('=') + 1); }

  std::optional<Hypervisor> hypervisor_;
  std::optional<Guest> guest_;
};

TEST_F(BackupGuest, ItIsFrozenForLessThanASecond) {
  const json point = create();
  EXPECT_EQ(point.value("consistency", ""), "filesystem");
  EXPECT_GT(point.value("held", 0.0), 0);
  EXPECT_LT(point.value("held", 9.0), 1) << "seconds";
  EXPECT_TRUE(thawed());
  next_second();
  const json second = create({"--freeze", "require"});
  EXPECT_EQ(second.value("consistency", ""), "filesystem");
  EXPECT_TRUE(thawed());
}

TEST_F(BackupGuest, NotAskedForItIsNotFrozenButMayBePaused) {
  EXPECT_EQ(create({"--freeze", "none"}).value("consistency", ""), "crash");
  next_second();
  EXPECT_EQ(create({"--freeze", "none", "--pause"}).value("consistency", ""), "paused");
  EXPECT_EQ(hypervisor_->state("web01"), "running");
  EXPECT_TRUE(guest_->wait_for_agent());
}

TEST_F(BackupGuest, KilledWhileItIsFrozenTheGuestGoesOn) {
  LibvirtRelay relay(file("relay"), relayed_socket());
  // -1: where it is frozen for certain. Then before each of its calls, until it is past them.
  for (int calls = -1; calls < 12; ++calls) {
    if (calls < 0)
      relay.hold_backup_begin();
    else
      relay.let_through(calls);
    MusterProcess muster(backup_command(create_words(relay.uri())));
    ASSERT_TRUE(wait_until([&] { return relay.holds() || !is_running(muster.pid()); }));
    EXPECT_TRUE(calls >= 0 || frozen());
    if (!relay.holds()) break;
    for (const pid_t pid : process_tree(muster.pid())) ::kill(pid, SIGKILL);
    relay.release();
    muster.finish();
    EXPECT_TRUE(wait_until([&] { return thawed(); }, 10'000)) << "killed before call " << calls;
  }
  EXPECT_EQ(create().value("consistency", ""), "filesystem");
}

// What it had asked for is under way still when it is killed, and the watchdog finds nothing to thaw at first.
TEST_F(BackupGuest, AFreezeThatComesAfterTheThawIsThawedToo) {
  LibvirtRelay relay(file("relay"), relayed_socket());
  relay.keep_what_is_held();
  relay.hold_freeze();
  MusterProcess muster(backup_command(create_words(relay.uri())));
  ASSERT_TRUE(wait_until([&] { return relay.holds() || !is_running(muster.pid()); }));
  ASSERT_TRUE(relay.holds());
  for (const pid_t pid : process_tree(muster.pid())) ::kill(pid, SIGKILL);
  const auto looked_after = [&] { return contains(read("/proc/net/unix"), "@muster-guest-"); };
  ASSERT_TRUE(wait_until(looked_after));
  EXPECT_TRUE(thawed());
  relay.release();
  muster.finish();
  // Well before it gives up: it was frozen, and is not any more.
  EXPECT_TRUE(wait_until([&] { return !looked_after() && thawed(); }, 20'000));
  EXPECT_EQ(create().value("consistency", ""), "filesystem");
}

// For a snapshot of its storage, say: that hold is not ours to end.
TEST_F(BackupGuest, OneThatSomebodyElseHasFrozenStaysSo) {
  hypervisor_->virsh({"domfsfreeze", "web01"});
  EXPECT_EQ(create().value("consistency", ""), "crash");
  EXPECT_TRUE(frozen());
  const auto refused = backup(create_words(hypervisor_->uri(), {"--freeze", "require"}));
  EXPECT_EQ(refused.code, 5) << told(refused);
  EXPECT_TRUE(contains(refused.out, "frozen by somebody else")) << told(refused);
  EXPECT_TRUE(frozen());
  hypervisor_->virsh({"domfsthaw", "web01"});
  next_second();
  EXPECT_EQ(create().value("consistency", ""), "filesystem");
}

// It waits for an answer that does not come: the watchdog does not wait for it.
TEST_F(BackupGuest, HangingWhileItIsFrozenTheGuestGoesOnAndThePointSaysSo) {
  LibvirtRelay relay(file("relay"), relayed_socket());
  for (int calls = 0; calls < 12 && !frozen(); ++calls) {
    relay.release();
    relay.let_through(calls);
    MusterProcess muster(backup_command(create_words(relay.uri())));
    ASSERT_TRUE(wait_until([&] { return relay.holds() || !is_running(muster.pid()); }));
    if (!frozen()) {
      relay.release();
      EXPECT_EQ(muster.finish().code, 0);
      next_second();
      continue;
    }
    EXPECT_TRUE(wait_until([&] { return thawed(); }, 12'000));
    relay.release();
    const auto done = muster.finish();
    EXPECT_EQ(done.code, 0) << told(done);
    EXPECT_EQ(json_lines(done.out).at(0).value("consistency", ""), "crash") << told(done);
    return;
  }
  ADD_FAILURE() << "it was never frozen";
}

// It writes all the while: what was synced before the backup is there, and the file system is clean.
TEST_F(BackupGuest, ItComesBackAsANewMachineThatBoots) {
  in_guest("web01", "dd if=/dev/urandom of=/root/data bs=64k count=40; sha256sum /root/data >/root/sum; sync");
  const std::string sum = in_guest("web01", "cat /root/sum");
  ASSERT_EQ(sum.size(), 64U + 2 + std::string("/root/data\n").size()) << sum;
  in_guest("web01", "(while :; do dd if=/dev/urandom of=/root/noise bs=4k count=50; sync; done) >/dev/null 2>&1 &");
  const json point = create({"--freeze", "require"});
  hypervisor_->virsh({"destroy", "web01"});
  const auto made = expect(0, {"restore", "web01@latest", "--as", hypervisor_->uri() + "#web02", "--start", "--json"});
  EXPECT_EQ(hypervisor_->state("web02"), "running") << told(made);
  ASSERT_TRUE(wait_until(
      [&] {
        return hypervisor_->try_virsh({"qemu-agent-command", "web02", R"({"execute":"guest-ping"})"}).code == 0;
      },
      60'000));
  EXPECT_EQ(in_guest("web02", "cat /root/sum; sha256sum -c /root/sum"), sum + "/root/data: OK\n");
  EXPECT_NE(hypervisor_->virsh({"domuuid", "web01"}), hypervisor_->virsh({"domuuid", "web02"}));
  expect(5, {"restore", "web01@latest", "--as", hypervisor_->uri() + "#web02"});
}

TEST_F(BackupGuest, WithoutAnAgentItSaysSoOrRefuses) {
  hypervisor_->virsh({"qemu-agent-command", "web01",
                      R"({"execute":"guest-exec","arguments":{"path":"/bin/sh","arg":["-c","killall qemu-ga"]}})"});
  ASSERT_TRUE(wait_until([&] {
    return hypervisor_->try_virsh({"qemu-agent-command", "web01", R"({"execute":"guest-ping"})", "--timeout", "1"})
               .code != 0;
  }));
  const auto refused = expect(5, create_words(hypervisor_->uri(), {"--freeze", "require"}));
  EXPECT_TRUE(contains(refused.out, "no agent answers")) << told(refused);
  EXPECT_EQ(create().value("consistency", ""), "crash");
}

// What the guest overwrites while it is read fills the room that there is for it, beside the image.
class BackupScratch : public BackupGuest {
 protected:
  void SetUp() override {
    BackupGuest::SetUp();
    if (IsSkipped()) return;
    std::filesystem::create_directory(narrow());
    const auto mounted =
        run({.argv = hypervisor_->inside({"mount", "-t", "tmpfs", "-o", "mode=1777,size=350m", "none", narrow()})});
    ASSERT_EQ(mounted.code, 0) << told(mounted);
    const std::string image = narrow() + "/data.qcow2";
    const auto made = run({.argv = hypervisor_->inside({"qemu-img", "create", "-q", "-f", "qcow2", image, "256M"})});
    ASSERT_EQ(made.code, 0) << told(made);
    hypervisor_->virsh({"attach-disk", "web01", image, "vdb", "--driver", "qemu", "--subdriver", "qcow2"});
    ASSERT_TRUE(wait_until([&] { return in_guest("web01", "ls /dev/vdb") == "/dev/vdb\n"; }));
    in_guest("web01", overwriting_with('a'));
  }
  std::string narrow() const { return hypervisor_->directory() + "/narrow"; }
  static std::string overwriting_with(char letter) {
    return std::string("tr '\\0' ") + letter +
           " </dev/zero | dd of=/dev/vdb bs=1M count=200 conv=fsync iflag=fullblock";
  }
  // On the hypervisor, where `before` is done first.
  Launch slow_backup(const std::string& before) const {
    Launch launch = backup_command({"create", hypervisor_->uri() + "#web01", "--json", "--limit-rate", "1M"});
    Words argv{"unshare", "--mount", "sh", "-c", before + " && exec \"$@\"", "sh"};
    argv.insert(argv.end(), launch.argv.begin(), launch.argv.end());
    launch.argv = hypervisor_->inside(argv);
    return launch;
  }
  // And the guest may be asked for something again.
  bool reads() const { return has_job() && contains(freeze_status(), "thawed"); }
  bool has_job() const { return hypervisor_->try_virsh({"backup-dumpxml", "web01"}).code == 0; }
  void expect_given_up(MusterProcess& muster, const std::string& because) {
    const auto done = muster.finish();
    EXPECT_EQ(done.code, 14) << told(done);
    EXPECT_TRUE(contains(done.out, "so that its guest goes on") && contains(done.out, because)) << told(done);
    EXPECT_FALSE(has_job());
    EXPECT_EQ(hypervisor_->state("web01"), "running");
    EXPECT_TRUE(
        wait_until([&] { return in_guest("web01", "dd if=/dev/vdb bs=1M skip=199 count=1 | tail -c 1") == "b"; }));
    EXPECT_FALSE(contains(expect(0, {"list"}).out, "web01"));
    EXPECT_EQ(create().value("consistency", ""), "filesystem");
  }
};

TEST_F(BackupScratch, NearlyFullTheBackupEndsAndTheGuestGoesOn) {
  MusterProcess muster(slow_backup("true"));
  ASSERT_TRUE(wait_until([&] { return reads(); })) << muster.err();
  in_guest("web01", overwriting_with('b'));
  expect_given_up(muster, "MiB left");
}

// Where nobody can look how much room there is, or not as fast as the guest fills it: QEMU has stopped the guest.
TEST_F(BackupScratch, FullTheGuestThatWasStoppedGoesOn) {
  MusterProcess muster(slow_backup("umount " + narrow()));
  ASSERT_TRUE(wait_until([&] { return reads(); })) << muster.err();
  in_guest("web01", "(" + overwriting_with('b') + ") >/dev/null 2>&1 &");
  expect_given_up(muster, "there was no room");
}

}  // namespace
}  // namespace muster::e2e
