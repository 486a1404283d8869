// muster vm on a real libvirtd with QEMU: the life of a machine, and what goes wrong with its hypervisor.
#include <filesystem>

#include <gtest/gtest.h>

#include "base/context.h"
#include "tests/e2e/end_to_end.h"
#include "tests/e2e/hypervisor.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

class VmLife : public EndToEnd {
 protected:
  static void SetUpTestSuite() {
    if (no_hypervisor_because().empty()) hypervisor_ = new Hypervisor();
  }
  static void TearDownTestSuite() {
    delete hypervisor_;
    hypervisor_ = nullptr;
  }
  void SetUp() override {
    if (const std::string reason = no_hypervisor_because(); !reason.empty()) GTEST_SKIP() << reason;
  }
  static Hypervisor& hypervisor() { return *hypervisor_; }

  // `muster vm WORD... -c URI`.
  Finished vm(std::vector<std::string> words, std::chrono::seconds deadline = 60s) {
    words.insert(words.begin(), "vm");
    words.insert(words.end(), {"-c", hypervisor().uri()});
    std::vector<std::string> argv{program("muster")};
    argv.insert(argv.end(), words.begin(), words.end());
    return run({.argv = in_clean_environment(argv, {"HOME=" + home()}), .deadline = deadline});
  }
  nlohmann::json machine(const std::string& name) {
    return result_of_name(json_lines(vm({"info", name, "--json"}).out), name);
  }
  static nlohmann::json result_of_name(const std::vector<nlohmann::json>& lines, const std::string& name) {
    for (const auto& line : lines)
      if (line.value("type", "") == "result" && line.value("name", "") == name) return line;
    ADD_FAILURE() << "no result of " << name;
    return {};
  }

 private:
  static Hypervisor* hypervisor_;
};
Hypervisor* VmLife::hypervisor_ = nullptr;

TEST_F(VmLife, GoesFromOffToRunningPausedSavedAndBack) {
  hypervisor().define({.name = "life"});
  EXPECT_EQ(vm({"start", "life", "-q"}).out, "life: running\n");
  EXPECT_EQ(vm({"start", "life", "-q"}).out, "life: already running\n");
  EXPECT_EQ(vm({"pause", "life", "-q"}).out, "life: paused\n");
  EXPECT_EQ(hypervisor().state("life"), "paused");
  EXPECT_EQ(vm({"resume", "life", "-q"}).out, "life: running\n");
  EXPECT_EQ(vm({"save", "life", "-q"}).out, "life: saved\n");
  EXPECT_EQ(hypervisor().state("life"), "shut off");
  EXPECT_EQ(machine("life").value("state", ""), "saved");
  EXPECT_EQ(vm({"start", "life", "-q"}).out, "life: running\n");
  EXPECT_EQ(machine("life").value("reason", ""), "restored");
  EXPECT_EQ(vm({"reset", "life", "-q", "--yes"}).out, "life: running\n");
  EXPECT_EQ(vm({"autostart", "life", "on", "-q"}).out, "life: autostart on\n");
  EXPECT_TRUE(machine("life").value("autostart", false));
  const auto stopped = vm({"stop", "life", "--timeout", "0"});
  EXPECT_EQ(stopped.code, 0) << told(stopped);
  EXPECT_EQ(vm({"wait", "life", "--for", "off", "-q"}).out, "life: shut off\n");
  EXPECT_EQ(vm({"start", "life", "--paused", "-q"}).out, "life: paused\n");
}

// A machine without an operating system ignores the power button.
TEST_F(VmLife, AStopThatIsIgnoredIsForcedOrAnError) {
  hypervisor().define({.name = "deaf"});
  vm({"start", "deaf"});
  const auto kept = vm({"stop", "deaf", "--timeout", "1s", "--no-force"});
  EXPECT_EQ(kept.code, 1) << told(kept);
  EXPECT_TRUE(contains(kept.err, "did not shut down within 1s")) << told(kept);
  EXPECT_EQ(hypervisor().state("deaf"), "running");
  const auto forced = vm({"stop", "deaf", "--timeout", "1s"});
  EXPECT_EQ(forced.code, 0) << told(forced);
  EXPECT_TRUE(contains(forced.out, "deaf: shut off (forced")) << told(forced);
}

TEST_F(VmLife, ManyAreStartedAtOnceAndCounted) {
  hypervisor().define(std::vector<NoOsDomain>{{.name = "many1"}, {.name = "many2"}, {.name = "many3"}});
  const auto started = vm({"start", "many[1-3]", "--json", "--expect", "3"});
  EXPECT_EQ(started.code, 0) << told(started);
  const auto lines = json_lines(started.out);
  for (const std::string name : {"many1", "many2", "many3"})
    EXPECT_EQ(result_of_name(lines, name).value("outcome", ""), "ok");
  EXPECT_EQ(summary_of(lines).value("machines", 0), 3);
  EXPECT_EQ(vm({"pause", "many*", "-q"}).code, 0);
  // A saved memory image of many is what makes them wait for each other on a slow disk.
  EXPECT_EQ(vm({"stop", "many*", "--timeout", "0", "-q"}).code, 0);
}

TEST_F(VmLife, AMissingDiskIsNamed) {
  hypervisor().define({.name = "diskless"});
  const auto info = machine("diskless");
  ASSERT_FALSE(info["disks"].empty());
  std::filesystem::remove(info["disks"][0].value("source", ""));
  const auto done = vm({"start", "diskless"});
  EXPECT_NE(done.code, 0);
  EXPECT_TRUE(contains(done.err, "start 'diskless'") && contains(done.err, "No such file")) << told(done);
  EXPECT_EQ(machine("diskless").value("state", ""), "shut off");
}

TEST_F(VmLife, ADaemonThatIsKilledMidWayIsUnreachableAndTheMachineGoesOn) {
  hypervisor().define({.name = "survivor"});
  vm({"start", "survivor"});
  MusterProcess waiting({.argv = in_clean_environment({program("muster"), "vm", "wait", "survivor", "--for", "off",
                                                       "--timeout", "50s", "-c", hypervisor().uri()},
                                                      {"HOME=" + home()})});
  ASSERT_TRUE(wait_until([&] { return contains(hypervisor().try_virsh({"domstate", "survivor"}).out, "running"); }));
  hypervisor().kill_daemon();
  const auto done = waiting.finish();
  EXPECT_EQ(done.code, 15) << told(done);
  EXPECT_LT(done.took, 30s);
  const auto again = vm({"list"});
  EXPECT_EQ(again.code, 15) << told(again);
  hypervisor().restart();
  EXPECT_EQ(machine("survivor").value("state", ""), "running");
}

TEST_F(VmLife, ADaemonThatHangsCostsTheDeadline) {
  hypervisor().hang();
  const auto done = vm({"list", "--connect-timeout", "1s"});
  hypervisor().wake();
  EXPECT_EQ(done.code, 15) << told(done);
  EXPECT_GE(done.took, 1s);
  EXPECT_LT(done.took, 4s);
}

TEST_F(VmLife, AMachineThatVanishesMidWayIsNotFound) {
  hypervisor().define({.name = "ghost"});
  MusterProcess waiting({.argv = in_clean_environment({program("muster"), "vm", "wait", "ghost", "--for", "running",
                                                       "--timeout", "50s", "-c", hypervisor().uri()},
                                                      {"HOME=" + home()})});
  // It looks for it at once, and again every 200 ms.
  ASSERT_TRUE(wait_until([&] { return !contains(hypervisor().try_virsh({"domstate", "ghost"}).out, "running"); }));
  hypervisor().virsh({"undefine", "ghost", "--nvram"});
  const auto done = waiting.finish();
  EXPECT_EQ(done.code, 2) << told(done);
  EXPECT_TRUE(contains(done.err, "ghost")) << told(done);
}

TEST_F(VmLife, ATransientMachineIsGoneOnceItIsOff) {
  write(file("transient.xml"), hypervisor().xml_of({.name = "brief", .virtio_disk = hypervisor().make_disk("brief")}));
  hypervisor().virsh({"create", file("transient.xml")});
  const auto stopped = vm({"stop", "brief", "--timeout", "0", "-q"});
  EXPECT_EQ(stopped.code, 0) << told(stopped);
  EXPECT_TRUE(contains(stopped.out, "brief: gone (forced")) << told(stopped);
  hypervisor().virsh({"create", file("transient.xml")});
  MusterProcess waiting({.argv = in_clean_environment(
                             {program("muster"), "vm", "wait", "brief", "--for", "off", "-q", "-c", hypervisor().uri()},
                             {"HOME=" + home()})});
  ASSERT_TRUE(wait_until([&] { return process_tree(waiting.pid()).size() > 1; }));
  hypervisor().virsh({"destroy", "brief"});
  const auto done = waiting.finish();
  EXPECT_TRUE(done.out == "brief: gone\n" || contains(done.err, "no domain 'brief'")) << told(done);
  const auto late = vm({"wait", "brief", "--for", "ip"});
  EXPECT_EQ(late.code, 2) << told(late);
}

// What muster does not know of, libvirt's own and others', is there afterwards as it was.
TEST_F(VmLife, PartsThatNobodyKnowsAreKept) {
  std::string xml = hypervisor().xml_of({.name = "odd", .virtio_disk = hypervisor().make_disk("odd")});
  const std::string metadata =
      "<metadata><their:facts xmlns:their='http://example.org/inventory/1' rack='7'><their:owner>anna</their:owner>"
      "</their:facts></metadata>";
  const std::string qemu =
      "<qemu:commandline><qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/org.example/a,string=b'/>"
      "<qemu:env name='EXAMPLE' value='1'/></qemu:commandline>";
  xml.insert(xml.find("<memory"), metadata);
  xml.insert(xml.find("</domain>"), qemu);
  xml.replace(xml.find("<domain type='qemu'"), 19,
              "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'");
  hypervisor().define_xml(xml);
  vm({"start", "odd"});
  run({.argv = {"truncate", "-s", "1M", hypervisor().directory() + "/odd.iso"}});
  const auto odd_parts = [&](const std::string& name, const char* which) {
    const std::string all = hypervisor().virsh({"dumpxml", name, which});
    const auto part = [&](const std::string& from, const std::string& to) {
      const auto begin = all.find(from), end = all.find(to);
      return begin == std::string::npos || end == std::string::npos ? "none of " + from
                                                                    : all.substr(begin, end - begin);
    };
    return part("<their:facts", "</metadata>") + part("<qemu:commandline>", "</qemu:commandline>");
  };
  const std::string before = odd_parts("odd", "--inactive");
  EXPECT_TRUE(contains(before, "<their:owner>anna</their:owner>") && contains(before, "org.example/a")) << before;
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"limit", "odd", "--cpu-quota", "150%", "--disk", "vda=iops:100"},
           {"attach", "odd", "disk=" + hypervisor().make_disk("odd-data") + ",bus=scsi"},
           {"detach", "odd", "sda"},
           {"media", "insert", "odd", hypervisor().directory() + "/odd.iso"},
           {"snapshot", "create", "odd", "s1"},
           {"snapshot", "revert", "odd", "s1", "--yes"},
           {"snapshot", "delete", "odd", "s1", "--yes"},
           {"set", "odd", "--cpus", "2", "--max-memory", "128M"},
           {"stop", "odd", "--timeout", "0"},
           {"delete", "odd", "--yes"},
           {"undelete", "odd"}}) {
    const auto done = vm(words);
    EXPECT_EQ(done.code, 0) << told(done);
    if (words.front() == "delete") continue;
    EXPECT_EQ(odd_parts("odd", "--inactive"), before) << words.front();
    EXPECT_EQ(odd_parts("odd", "--security-info"), before) << words.front();
  }
  const auto renamed = vm({"rename", "odd", "even"});
  EXPECT_EQ(renamed.code, 0) << told(renamed);
  EXPECT_EQ(odd_parts("even", "--inactive"), before);
}

TEST_F(VmLife, WithoutPermissionForTheSocketItIsUnreachable) {
  if (!is_root()) GTEST_SKIP() << "only root can become somebody without permission";
  const auto done = run({.argv = {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                                  program("muster"), "vm", "list", "-c", hypervisor().uri()}});
  EXPECT_EQ(done.code, 15) << told(done);
  EXPECT_TRUE(contains(done.err, "Permission denied")) << told(done);
}

TEST_F(VmLife, ContainersStartAndSayWhatTheyCannot) {
  // One of its own: cgroups of containers do not survive a restart of the daemon in a namespace.
  const Hypervisor own;
  const std::string domain = file("container.xml");
  write(domain,
        "<domain type='lxc'><name>c1</name><memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type>exe</type>"
        "<init>/bin/sleep</init><initarg>1000</initarg></os><devices><console type='pty'/></devices></domain>");
  const auto on_lxc = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {program("muster"), "vm"});
    words.insert(words.end(), {"-c", own.lxc_uri()});
    return run({.argv = in_clean_environment(words, {"HOME=" + home()})});
  };
  const auto defined = run({.argv = {"virsh", "-q", "-c", own.lxc_uri(), "define", domain}});
  ASSERT_EQ(defined.code, 0) << told(defined);
  const auto started = on_lxc({"start", "c1", "-q"});
  ASSERT_EQ(started.out, "c1: running\n") << told(started);
  EXPECT_TRUE(contains(on_lxc({"list"}).out, "c1")) << told(on_lxc({"list"}));
  const auto save = on_lxc({"save", "c1"});
  EXPECT_EQ(save.code, 4) << told(save);
  EXPECT_TRUE(contains(save.err, "not supported")) << told(save);
  EXPECT_EQ(on_lxc({"reset", "c1", "--yes"}).code, 4);
  EXPECT_EQ(on_lxc({"stop", "c1", "--timeout", "0", "-q"}).code, 0);
}

}  // namespace
}  // namespace muster::e2e
