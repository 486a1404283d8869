// muster backup serve --boot: a real guest runs from the repository at once, takes writes, and is moved while it runs;
// whoever is killed or ended meanwhile, nothing that it wrote is lost, and the same command goes on.
#include <algorithm>
#include <memory>

#include <signal.h>

#include "base/error.h"
#include "tests/e2e/boot_fixture.h"
#include "tests/e2e/libvirt_relay.h"

namespace muster::e2e {
namespace {

using nlohmann::json;

class BootServe : public BootFixture {
 protected:
  static constexpr const char* kName = "web02";

  // The guest's kernel comes from a file beside its disk, which is quicker than a boot loader.
  void back_up_quick_guest() { back_up_guest("web01", Guest::Boot::kernel); }
  Words serve_words(const Words& more = {}) const {
    Words words{"serve", "web01@latest", "--boot", hypervisor_->uri() + "#" + kName};
    words.insert(words.end(), more.begin(), more.end());
    return on_hypervisor(words);
  }
  // Once the machine runs; its move takes a while.
  std::unique_ptr<MusterProcess> serve_slowly() {
    auto muster = std::make_unique<MusterProcess>(backup_command(serve_words({"--limit-rate", "512K"})));
    EXPECT_TRUE(muster->wait_for("runs from")) << muster->err();
    return muster;
  }
  void write_in_guest() {
    ASSERT_TRUE(wait_for_agent(kName));
    in_guest(kName, "dd if=/dev/urandom of=/root/data bs=64k count=20; sha256sum /root/data >/root/sum; sync");
  }
  void expect_what_was_written() const { EXPECT_EQ(in_guest(kName, "sha256sum -c /root/sum"), "/root/data: OK\n"); }
  bool is_as_written() const {
    try {
      return in_guest(kName, "sha256sum -c /root/sum") == "/root/data: OK\n";
    } catch (const base::Error&) {
      return false;  // it stands still
    }
  }
  // Not moved yet, and not in the guest's memory either.
  void read_what_is_not_there() const {
    const json ask{
        {"execute", "guest-exec"},
        {"arguments",
         {{"path", "/bin/sh"},
          {"arg", {"-c", "echo 3 >/proc/sys/vm/drop_caches; find / -xdev -type f -exec cat {} + >/dev/null"}}}}};
    hypervisor_->try_virsh({"qemu-agent-command", kName, ask.dump(), "--timeout", "5"});
  }
  std::string image() const { return hypervisor_->directory() + "/" + kName + "-vda.qcow2"; }
  std::string image_facts() const { return run({.argv = {"qemu-img", "info", "-U", image()}}).out; }
  void finish_the_move() {
    const auto done = expect(0, serve_words());
    EXPECT_TRUE(contains(done.out, "moved to its own images")) << told(done);
    expect_moved();
  }
  void expect_moved() {
    EXPECT_EQ(hypervisor_->state(kName), "running");
    EXPECT_FALSE(points().at(0).value("pinned", true));
    EXPECT_FALSE(contains(image_facts(), "backing file")) << image_facts();
    EXPECT_EQ(boot_directories(), 0);
    for (const Words& which : {Words{"dumpxml", kName}, Words{"dumpxml", kName, "--inactive"}}) {
      const std::string xml = hypervisor_->virsh(which);
      EXPECT_FALSE(contains(xml, "nbd")) << xml;
      EXPECT_FALSE(contains(xml, "muster-boot")) << xml;
    }
    EXPECT_FALSE(contains(hypervisor_->virsh({"dumpxml", kName, "--inactive"}), "error_policy"));
    expect(5, serve_words());  // a machine like any other, whose name is taken
  }
  static pid_t nbdkit_of(pid_t muster) {
    for (const pid_t pid : process_tree(muster))
      if (process_name(pid) == "nbdkit") return pid;
    return -1;
  }
};

TEST_F(BootServe, AGuestRunsAtOnceAndIsMovedWhileItRuns) {
  back_up_quick_guest();
  auto muster = serve_slowly();
  EXPECT_TRUE(contains(image_facts(), "backing file: json:")) << image_facts();
  write_in_guest();
  EXPECT_TRUE(is_running(muster->pid())) << "it was moved before the guest wrote anything: nothing was tested";
  muster->signal(SIGINT);  // in a hurry: the rest at full speed
  EXPECT_EQ(muster->finish().code, 130);
  EXPECT_EQ(hypervisor_->state(kName), "paused");
  finish_the_move();
  expect_what_was_written();
  // By itself, from its own image.
  hypervisor_->virsh({"destroy", kName, "--graceful"});
  hypervisor_->virsh({"start", kName});
  ASSERT_TRUE(wait_for_agent(kName));
  expect_what_was_written();
  EXPECT_NE(hypervisor_->virsh({"domuuid", "web01"}), hypervisor_->virsh({"domuuid", kName}));
}

TEST_F(BootServe, TheMoveOfAMachineEndsByItself) {
  back_up_quick_guest();
  const auto lines = expect_json(0, {"serve", "web01@latest", "--boot", hypervisor_->uri() + "#" + kName});
  EXPECT_EQ(lines.at(0).value("outcome", ""), "started");
  EXPECT_LT(lines.at(0).value("duration", 99.0), 3) << "seconds until it runs";
  const json& moved = lines.at(lines.size() - 2);
  EXPECT_EQ(missing_fields(moved, {"name", "uri", "point", "outcome", "duration", "disks"}), "");
  EXPECT_EQ(summary_of(lines).value("outcome", ""), "moved");
  expect_moved();
}

TEST_F(BootServe, KilledItsGuestStopsAndGoesOnWithTheNext) {
  back_up_quick_guest();
  auto muster = serve_slowly();
  write_in_guest();
  muster->signal(SIGKILL);
  muster->finish();
  EXPECT_TRUE(points().at(0).value("pinned", false)) << "a forget could take what the guest still needs";
  // Its agent may be at something else the first time.
  const auto stands_still = [&] {
    if (hypervisor_->state(kName) == "paused") return true;
    read_what_is_not_there();
    return false;
  };
  EXPECT_TRUE(wait_until(stands_still)) << "it was not told of an error";
  finish_the_move();
  ASSERT_TRUE(wait_for_agent(kName));
  expect_what_was_written();
}

TEST_F(BootServe, AServerThatDiesIsStartedAgain) {
  back_up_quick_guest();
  auto muster = serve_slowly();
  write_in_guest();
  ::kill(nbdkit_of(muster->pid()), SIGKILL);
  EXPECT_TRUE(muster->wait_for_error("started again")) << muster->err();
  read_what_is_not_there();
  // It may stand still for a moment, again and again, until its connection is there.
  EXPECT_TRUE(wait_until([&] { return is_as_written(); }, 60'000));
  muster->signal(SIGINT);
  EXPECT_EQ(muster->finish().code, 130);
  finish_the_move();
}

TEST_F(BootServe, ADaemonThatIsRestartedDoesNotEndIt) {
  back_up_quick_guest();
  auto muster = serve_slowly();
  write_in_guest();
  hypervisor_->kill_daemon();
  hypervisor_->restart();
  EXPECT_FALSE(wait_until([&] { return !is_running(muster->pid()); }, 3000)) << muster->err();
  ASSERT_TRUE(wait_for_agent(kName));
  muster->signal(SIGINT);
  EXPECT_EQ(muster->finish().code, 130);
  finish_the_move();
  expect_what_was_written();
}

TEST_F(BootServe, AGuestThatGoesOffIsStartedAgainByTheNext) {
  back_up_quick_guest();
  auto muster = serve_slowly();
  write_in_guest();
  hypervisor_->virsh({"destroy", kName});
  const auto ended = muster->finish();
  EXPECT_EQ(ended.code, 1) << told(ended);
  EXPECT_TRUE(contains(ended.err, "went off")) << told(ended);
  // Nobody serves it: it does not start, and nothing is lost.
  EXPECT_NE(hypervisor_->try_virsh({"start", kName}).code, 0);
  finish_the_move();
  ASSERT_TRUE(wait_for_agent(kName));
  expect_what_was_written();
}

// Before each of its calls that change something.
TEST_F(BootServe, KilledAtAnyCallTheNextOneGoesOn) {
  back_up_blank("web01");
  LibvirtRelay relay(file("relay"), hypervisor_->uri().substr(hypervisor_->uri().find('=') + 1));
  bool ended = false;
  int killed = 0;
  for (int calls = 0; calls < 12 && !ended; ++calls) {
    relay.let_through(calls);
    Words words{"serve", "web01@latest", "--boot", relay.uri() + "#" + kName, "--scratch", hypervisor_->directory()};
    MusterProcess muster(backup_command(words));
    ASSERT_TRUE(wait_until([&] { return relay.holds() || !is_running(muster.pid()); }));
    ended = !relay.holds();
    killed += ended ? 0 : 1;
    for (const pid_t pid : process_tree(muster.pid())) ::kill(pid, SIGKILL);
    relay.release();
    muster.finish();
    if (ended) continue;
    finish_the_move();
    hypervisor_->virsh({"destroy", kName});
    hypervisor_->virsh({"undefine", kName});
    std::filesystem::remove(image());
  }
  EXPECT_TRUE(ended);
  EXPECT_GE(killed, 5) << "define, note the start, move, define, take the note away";
}

TEST_F(BootServe, APlanChangesNothing) {
  back_up_blank("web01");
  const auto planned = expect(0, serve_words({"--dry-run"}));
  EXPECT_TRUE(contains(planned.out, "would run 'web02'")) << told(planned);
  EXPECT_FALSE(contains(machines(), kName));
  EXPECT_FALSE(std::filesystem::exists(image()));
  EXPECT_EQ(boot_directories(), 0);
}

TEST_F(BootServe, WhatIsThereIsLeftAlone) {
  back_up_blank("web01");
  write(image(), "mine");
  expect(5, serve_words());
  EXPECT_EQ(read(image()), "mine");
  std::filesystem::remove(image());
  const auto taken = expect(5, on_hypervisor({"serve", "web01@latest", "--boot", hypervisor_->uri() + "#web01"}));
  EXPECT_TRUE(contains(taken.err, "already")) << told(taken);
  expect(5, serve_words({"--same-identity"}));  // which is still there
  expect(2, serve_words({"--to", file("nowhere")}));
  EXPECT_FALSE(contains(machines(), kName));
  EXPECT_EQ(boot_directories(), 0);
}

TEST_F(BootServe, TheSameMachineComesBackAfterItsEnd) {
  back_up_blank("web01");
  const std::string uuid = hypervisor_->virsh({"domuuid", "web01"});
  hypervisor_->virsh({"undefine", "web01"});
  std::filesystem::create_directory(hypervisor_->directory() + "/new");
  std::filesystem::permissions(hypervisor_->directory() + "/new", std::filesystem::perms(0711));
  expect(0, on_hypervisor({"serve", "web01@latest", "--boot", hypervisor_->uri() + "#web01", "--same-identity", "--to",
                           hypervisor_->directory() + "/new"}));
  EXPECT_EQ(hypervisor_->virsh({"domuuid", "web01"}), uuid);
  EXPECT_TRUE(std::filesystem::exists(hypervisor_->directory() + "/new/web01-vda.qcow2"));
}

TEST_F(BootServe, WrongUsageAndKeysStartNothing) {
  back_up_blank("web01");
  make_image("disk.raw", 1U << 20U);
  create("images", {file("disk.raw")});
  for (const Words& words : std::vector<Words>{{"serve", "web01@latest", "--boot"},
                                               {"serve", "--boot", kName},
                                               {"serve", "web01@latest:vda", "--boot", kName},
                                               {"serve", "images@latest", "--boot", kName},
                                               {"serve", "web01@latest", "--boot", kName, "--overlay"},
                                               {"serve", "web01@latest", "--boot", kName, "--socket", file("s")},
                                               {"serve", "web01@latest", "--socket", file("s"), "--same-identity"}}) {
    const auto done = backup(on_hypervisor(words));
    EXPECT_EQ(done.code, 2) << told(done);
  }
  expect(0, {"key", "add", "--role", "host", "--to", file("host.key"), "-q"});
  expect(12, serve_words({"--key-file", file("host.key")}));
  EXPECT_FALSE(contains(machines(), kName));
}

}  // namespace
}  // namespace muster::e2e
