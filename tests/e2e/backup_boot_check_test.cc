// muster backup check --boot: what a real guest, and a disk that does not boot, come to; what is noted of it; and that
// nothing is left, however it ends.
#include <signal.h>

#include "tests/e2e/boot_fixture.h"

namespace muster::e2e {
namespace {

using nlohmann::json;

class BootCheck : public BootFixture {
 protected:
  // The newest point of that name.
  json listed(const std::string& name) {
    for (const auto& point : points())
      if (point.value("name", "") == name) return point;
    return json::object();
  }
  static Words stages(const json& result) {
    Words stages;
    for (const auto& stage : result.at("reached")) stages.push_back(stage.at("stage"));
    return stages;
  }
  void expect_nothing_left() {
    EXPECT_FALSE(contains(machines(), "muster-check-")) << machines();
    EXPECT_EQ(boot_directories(), 0);
    const std::string leases = repository() + "/leases";
    EXPECT_TRUE(wait_until([&] { return !std::filesystem::exists(leases) || std::filesystem::is_empty(leases); }));
  }
  // A try that is under way, and will not come to its end by itself.
  std::unique_ptr<MusterProcess> try_under_way() {
    auto muster = std::make_unique<MusterProcess>(
        backup_command(on_hypervisor({"check", "--boot", "blank@latest", "--boot-timeout", "100s"})));
    EXPECT_TRUE(wait_until([&] {
      return contains(hypervisor_->virsh({"list", "--state-running"}), "muster-check-");
    })) << muster->err();
    return muster;
  }
};

TEST_F(BootCheck, AGuestThatBootsIsNotedWithHowFarItCame) {
  back_up_guest();
  write(file("script"), "set -e\nfind /etc/hostname >/dev/null\necho it is fine\n");
  const auto lines = expect_json(0, {"check", "--boot", "--script", file("script"), "--metrics", file("boot.prom")});
  const json& result = lines.at(0);
  EXPECT_EQ(missing_fields(result, {"name", "point", "booted", "time", "wanted", "reached", "failure", "duration",
                                    "hypervisor", "script_status", "script_output", "console_end"}),
            "");
  EXPECT_EQ(stages(result), (Words{"firmware", "kernel", "agent", "script"}));
  EXPECT_EQ(result.value("script_output", ""), "it is fine\n");
  EXPECT_EQ(summary_of(lines).value("booted", 0), 1);
  EXPECT_TRUE(contains(read(file("boot.prom")), "muster_backup_boot_check_success{name=\"web01\"} 1\n"));
  expect_nothing_left();
  EXPECT_TRUE(listed("web01").at("boot").value("booted", false));
  EXPECT_TRUE(contains(expect(0, {"show", "web01@latest"}).out, "booted at")) << "show";
  EXPECT_TRUE(contains(expect(0, {"list"}).out, "script\n")) << "list";
  expect(0, {"check", "--read-data"});
}

TEST_F(BootCheck, AnSshServerIsReachedThoughTheGuestReachesNobody) {
  back_up_guest();
  write(file("script"), "wget -T 2 -O - http://10.0.2.2:1/ 2>&1; echo no way out; exit 3\n");
  const auto lines =
      expect_json(1, {"check", "--boot", "web*", "--reach", "ssh", "--script", file("script"), "--cpus", "1"});
  const json& result = lines.at(0);
  EXPECT_EQ(stages(result), (Words{"firmware", "kernel", "ssh", "agent"}));
  EXPECT_EQ(result.value("script_status", 0), 3);
  EXPECT_TRUE(contains(result.value("script_output", ""), "no way out"));
  EXPECT_TRUE(contains(result.value("failure", ""), "status 3")) << result;
  EXPECT_FALSE(listed("web01").at("boot").value("booted", true));
  expect_nothing_left();
}

TEST_F(BootCheck, ALineOnTheConsoleIsEnough) {
  back_up_guest();
  const auto lines = expect_json(0, {"check", "--boot", "web01@latest", "--reach", "serial:^TINY-READY"});
  EXPECT_EQ(stages(lines.at(0)).back(), "serial");
  expect_nothing_left();
}

TEST_F(BootCheck, ADiskThatDoesNotBootIsToldOfAndIsNoDamage) {
  back_up_blank();
  const auto done = expect(1, on_hypervisor({"check", "--boot", "blank@latest", "--boot-timeout", "3s"}));
  EXPECT_TRUE(contains(done.err, "no agent answered within 3s")) << told(done);
  EXPECT_TRUE(contains(done.err, "it reached firmware")) << told(done);
  EXPECT_TRUE(contains(expect(0, {"list"}).out, "failed")) << "list";
  const json boot = listed("blank").at("boot");
  EXPECT_EQ(stages(boot), Words{"firmware"});
  expect_nothing_left();
  expect(0, {"check"});
  // It is gone with its point.
  next_second();
  back_up("blank");
  expect(0, {"forget", "blank", "--keep-last", "1", "--prune", "-q"});
  EXPECT_TRUE(std::filesystem::is_empty(repository() + "/boots"));
}

TEST_F(BootCheck, KilledItLeavesNoMachine) {
  back_up_blank();
  auto muster = try_under_way();
  muster->signal(SIGKILL);
  muster->finish();
  EXPECT_TRUE(wait_until([&] { return !contains(machines(), "muster-check-"); })) << machines();
  // Its directory goes with the next.
  expect(1, on_hypervisor({"check", "--boot", "blank@latest", "--boot-timeout", "1s"}));
  expect_nothing_left();
}

TEST_F(BootCheck, AMachineThatWasLeftIsEndedByTheNext) {
  back_up_blank();
  auto muster = try_under_way();
  hypervisor_->kill_daemon();
  for (const pid_t pid : process_tree(muster->pid())) ::kill(pid, SIGKILL);
  muster->finish();
  hypervisor_->restart();
  ASSERT_TRUE(contains(machines(), "muster-check-")) << "nobody was there to end it";
  const auto next = expect(1, on_hypervisor({"check", "--boot", "blank@latest", "--boot-timeout", "1s"}));
  EXPECT_TRUE(contains(next.err, "a try that was cut short")) << told(next);
  EXPECT_FALSE(contains(machines(), "muster-check-")) << machines();
  EXPECT_EQ(boot_directories(), 0);
}

TEST_F(BootCheck, InterruptedItEndsTheTryAndNotesNothing) {
  back_up_blank();
  auto muster = try_under_way();
  muster->signal(SIGINT);
  EXPECT_EQ(muster->finish().code, 130);
  expect_nothing_left();
  EXPECT_FALSE(listed("blank").contains("boot"));
}

// The firmware speaks on the serial console: it has its variables, or it would not come so far.
TEST_F(BootCheck, UefiMachinesAreTriedWithTheirVariables) {
  if (!std::filesystem::exists("/usr/share/OVMF/OVMF_CODE_4M.fd")) GTEST_SKIP() << "OVMF is not installed";
  std::string xml = hypervisor_->xml_of({.name = "uefi01", .virtio_disk = hypervisor_->make_disk("uefi01", "1M")});
  xml.insert(xml.find("<boot dev='hd'/>"),
             "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
             "<nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>/var/lib/libvirt/qemu/nvram/uefi01_VARS.fd</nvram>");
  hypervisor_->define_xml(xml);
  const std::string directory = hypervisor_->directory() + "/../lib/qemu/nvram/";
  std::filesystem::create_directories(directory);
  std::filesystem::copy_file("/usr/share/OVMF/OVMF_VARS_4M.fd", directory + "uefi01_VARS.fd");
  back_up("uefi01");
  const auto lines =
      expect_json(0, {"check", "--boot", "uefi01@latest", "--reach", "serial:BdsDxe", "--boot-timeout", "80s"});
  EXPECT_TRUE(lines.at(0).value("booted", false));
  expect_nothing_left();
}

TEST_F(BootCheck, AHypervisorThatIsGoneIsToldToTheMetrics) {
  back_up_blank();
  Words words{"check", "--boot", "--metrics", file("boot.prom"), "-c", "qemu+unix:///system?socket=" + file("none")};
  expect(15, words);
  EXPECT_TRUE(contains(read(file("boot.prom")), "muster_backup_boot_check_success{name=\"blank\"} 0\n"));
}

// Without --scratch, as on a hypervisor of one's own.
TEST_F(BootCheck, QemuReachesTheUsualPlaceOfSockets) {
  back_up_blank();
  Launch launch = backup_command({"check", "--boot", "blank@latest", "-c", "qemu:///system", "--boot-timeout", "2s"});
  launch.argv = hypervisor_->inside(launch.argv);
  const auto done = run(launch);
  EXPECT_EQ(done.code, 1) << told(done);
  EXPECT_TRUE(contains(done.err, "it reached firmware")) << told(done);
  expect_nothing_left();
}

TEST_F(BootCheck, APlanStartsNothing) {
  back_up_blank();
  const auto planned = expect_json(0, {"check", "--boot", "--dry-run"});
  EXPECT_EQ(planned.at(0).value("plan", ""), "check");
  EXPECT_FALSE(listed("blank").contains("boot"));
  expect_nothing_left();
}

TEST_F(BootCheck, WrongUsageStartsNothing) {
  back_up_blank();
  make_image("disk.raw", 1U << 20U);
  create("images", {file("disk.raw")});
  for (const Words& words : std::vector<Words>{{"check", "--boot", "nothing*"},
                                               {"check", "--boot", "nothing@latest"},
                                               {"check", "--boot", "blank@latest:vda"},
                                               {"check", "--boot", "images@latest"},
                                               {"check", "--boot", "images"},
                                               {"check", "--boot", "--read-data"},
                                               {"check", "--boot", "--reach", "login"},
                                               {"check", "--boot", "--reach", "serial:("},
                                               {"check", "--boot", "--script", file("none")},
                                               {"check", "--reach", "agent"},
                                               {"check", "blank@latest"}}) {
    const auto done = backup(on_hypervisor(words));
    EXPECT_EQ(done.code, 2) << told(done);
  }
}

TEST_F(BootCheck, AKeyThatDoesNotReadBootsNothing) {
  back_up_blank();
  expect(0, {"key", "add", "--role", "host", "--to", file("host.key"), "-q"});
  expect(12, on_hypervisor({"check", "--boot", "--key-file", file("host.key")}));
  expect_nothing_left();
}

}  // namespace
}  // namespace muster::e2e
