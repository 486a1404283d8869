// muster vm stats, top and events: against libvirt's test driver, hypervisors that do not answer, and one real libvirtd
// with QEMU.
#include <algorithm>
#include <regex>

#include <signal.h>

#include "tests/e2e/end_to_end.h"
#include "tests/e2e/hypervisor.h"
#include "tests/e2e/process_table.h"
#include "tests/e2e/pty_process.h"
#include "tests/e2e/silent_socket.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

constexpr const char* kOtherScreen = "\x1b[?1049h";
constexpr const char* kFormerScreen = "\x1b[?25h\x1b[?1049l";

class Watch : public EndToEnd {
 protected:
  std::string silent_uri(const std::string& name) const { return "qemu+unix:///system?socket=" + file(name); }
  // The line of `FILE` that begins with `sample`, without it.
  std::string metric(const std::string& sample) const {
    const std::string text = "\n" + read(file("muster.prom"));
    const std::size_t at = text.find("\n" + sample + " ");
    if (at == std::string::npos) return "not there";
    const std::size_t from = at + sample.size() + 2;
    return text.substr(from, text.find('\n', from) - from);
  }
  // `muster ARGUMENT...`, without an inventory.
  Finished alone(const std::vector<std::string>& arguments) const {
    Launch launch = command(arguments);
    launch.argv.erase(launch.argv.begin() + 1, launch.argv.begin() + 3);
    return run(launch);
  }
  Finished write_metrics(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(),
                     {"vm", "stats", "-q", "--connect-timeout", "1s", "--prometheus", file("muster.prom")});
    return muster(arguments);
  }
};

TEST_F(Watch, StatsAreATableOfMachinesAndOneOfHosts) {
  use({Host{"web01"}.set("hypervisor", "test:///default").set("domain", "test")});
  const auto done = muster({"vm", "stats", "-q"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "web01  running") && contains(done.out, "test:///default")) << told(done);
  const auto lines = json_lines(muster({"vm", "stats", "web01", "--json"}).out);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].value("subject", ""), "machine");
  EXPECT_EQ(lines[0].value("host", ""), "web01");
  EXPECT_GT(lines[0].value("cpu_percent", 0.0), 50) << "the test driver's domains use a processor's whole time";
  EXPECT_GT(lines[0]["disks"][0].value("read_bytes_per_second", 0.0), 0);
  EXPECT_GT(lines[0]["disks"][0].value("read_bytes", 0ULL), 0U);
  EXPECT_EQ(lines[1].value("subject", ""), "hypervisor");
  EXPECT_EQ(lines[1].value("cpus", 0), 16);
  EXPECT_GE(lines[1].value("interval", 0.0), 1.0);
  EXPECT_EQ(summary_of(lines).value("ok", 0), 1);
}

TEST_F(Watch, MetricsAreWrittenAlsoForWhoDoesNotAnswer) {
  const SilentSocket silent(file("silent"));
  use({Host{"good"}.set("hypervisor", "test:///default").set("domain", "test"),
       Host{"gone"}.set("hypervisor", "test:///default"), Host{"hangs"}.set("hypervisor", silent_uri("silent")),
       Host{"down"}.set("hypervisor", silent_uri("nobody"))});
  const auto done = write_metrics();
  EXPECT_EQ(done.code, 3) << told(done);
  EXPECT_EQ(done.out, "");
  EXPECT_LT(done.took, 8s);
  const auto up = [&](const std::string& name, const std::string& uri) {
    return metric("muster_vm_up{vm=\"" + name + "\",hypervisor=\"" + uri + "\"}");
  };
  EXPECT_EQ(up("good", "test:///default"), "1");
  EXPECT_EQ(up("gone", "test:///default"), "0");
  EXPECT_EQ(up("hangs", silent_uri("silent")), "0");
  EXPECT_EQ(up("down", silent_uri("nobody")), "0");
  EXPECT_EQ(metric("muster_hypervisor_up{hypervisor=\"" + silent_uri("silent") + "\"}"), "0");
  EXPECT_EQ(metric("muster_hypervisor_up{hypervisor=\"test:///default\"}"), "1");
  const auto promtool =
      run({.argv = {"sh", "-c",
                    "command -v promtool >/dev/null || exit 0; promtool check metrics <" + file("muster.prom")}});
  EXPECT_EQ(promtool.code, 0) << told(promtool);
}

TEST_F(Watch, AHypervisorThatIsGoneKeepsItsMachinesInTheMetrics) {
  write(file("muster.prom"),
        "muster_vm_last_answer_timestamp_seconds{vm=\"old\",hypervisor=\"" + silent_uri("nobody") + "\"} 1000\n");
  const auto done = alone({"vm", "stats", "-c", silent_uri("nobody"), "o*", "--prometheus", file("muster.prom")});
  EXPECT_EQ(done.code, 15) << told(done);
  EXPECT_EQ(metric("muster_vm_up{vm=\"old\",hypervisor=\"" + silent_uri("nobody") + "\"}"), "0");
  const auto nowhere = alone({"vm", "stats", "-c", "test:///default", "--prometheus", file("no/such/directory")});
  EXPECT_NE(nowhere.code, 0) << told(nowhere);
}

TEST_F(Watch, TopShowsOneTableWithoutATerminal) {
  use({Host{"web01"}.set("hypervisor", "test:///default").set("domain", "test")});
  const auto done = muster({"vm", "top", "-q", "--sort", "memory"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "web01  running") && !contains(done.out, "\x1b")) << told(done);
  EXPECT_EQ(muster({"vm", "top", "--sort", "age"}).code, 2);
}

// The terminal of a shell that runs top: what stty says before and after.
class Top : public Watch {
 protected:
  Launch shell_around_top() const {
    Launch launch = command({});
    launch.argv = {"sh", "-c",
                   "stty -g >" + file("before") + "; trap : INT; " + program("muster") +
                       " vm top -c test:///default --interval 1s; echo \"status=$?\"; stty -g >" + file("after")};
    return launch;
  }
  void expect_terminal_as_it_was(PtyProcess& shell, int status) {
    EXPECT_TRUE(shell.wait_for("status=" + std::to_string(status))) << shell.screen();
    const auto done = shell.finish();
    EXPECT_TRUE(contains(done.out, kFormerScreen)) << done.out;
    EXPECT_EQ(read(file("before")), read(file("after")));
  }
};

TEST_F(Top, GoesOnUntilQAndLeavesTheTerminalAsItWas) {
  PtyProcess shell(shell_around_top());
  EXPECT_TRUE(shell.wait_for(kOtherScreen)) << shell.screen();
  EXPECT_TRUE(shell.wait_for("test  running")) << shell.screen();
  shell.write("m");
  EXPECT_TRUE(shell.wait_for("sorted by memory")) << shell.screen();
  shell.write("q");
  expect_terminal_as_it_was(shell, 0);
}

TEST_F(Top, LeavesTheTerminalAsItWasAfterCtrlC) {
  PtyProcess shell(shell_around_top());
  EXPECT_TRUE(shell.wait_for("test  running")) << shell.screen();
  shell.write("\x03");
  expect_terminal_as_it_was(shell, 130);
}

TEST_F(Top, LeavesTheTerminalAsItWasAfterATerm) {
  PtyProcess shell(shell_around_top());
  EXPECT_TRUE(shell.wait_for("test  running")) << shell.screen();
  const auto family = process_tree(shell.pid());
  const auto top =
      std::find_if(family.begin(), family.end(), [](pid_t pid) { return process_name(pid) == "muster-vm"; });
  ASSERT_NE(top, family.end());
  ::kill(*top, SIGTERM);
  expect_terminal_as_it_was(shell, 130);
}

TEST_F(Top, DrawsAnewWhenTheTerminalChangesItsSize) {
  PtyProcess shell(shell_around_top());
  EXPECT_TRUE(shell.wait_for("test  running")) << shell.screen();
  const std::string columns = "GUEST  READ/s  WRITE/s  IN/s  OUT/s\x1b[K";
  EXPECT_FALSE(contains(shell.screen(), columns)) << "80 columns have no room for it";
  shell.resize(40, 200);
  EXPECT_TRUE(shell.wait_for(columns)) << shell.screen();
  shell.write("q");
  expect_terminal_as_it_was(shell, 0);
}

TEST_F(Watch, EventsOfAnUnreachableHypervisorAreAnError) {
  use({Host{"a"}.set("hypervisor", silent_uri("nobody"))});
  const auto done = muster({"vm", "events", "--json", "--connect-timeout", "5s"});
  EXPECT_EQ(done.code, 15) << told(done);
  EXPECT_EQ(summary_of(json_lines(done.out)).value("events", -1), 0);
  EXPECT_TRUE(contains(done.err, "not watching qemu+unix")) << told(done);
}

TEST_F(Watch, EventsEndAtTheirTimeout) {
  use({Host{"a"}.set("hypervisor", "test:///default").set("domain", "test")});
  EXPECT_EQ(muster({"vm", "events", "--timeout", "1s"}).code, 0);
  EXPECT_EQ(muster({"vm", "events", "--timeout", "1s", "--count", "1"}).code, 1) << "it did not come";
  MusterProcess endless(command({"vm", "events"}));
  EXPECT_TRUE(endless.wait_for_error("watching test:///default"));
  endless.signal(SIGINT);
  EXPECT_EQ(endless.finish().code, 130);
}

// One hypervisor for all; its tests leave web01 and web02 running.
class OnQemu : public Watch {
 protected:
  static void SetUpTestSuite() {
    reason_ = no_hypervisor_because();
    if (!reason_.empty()) return;
    hypervisor_ = std::make_unique<Hypervisor>();
    hypervisor_->define(std::vector<NoOsDomain>{{.name = "web01"}, {.name = "web02"}});
    for (const char* name : {"web01", "web02"}) hypervisor_->virsh({"start", name});
  }
  static void TearDownTestSuite() { hypervisor_.reset(); }
  void SetUp() override {
    if (!reason_.empty()) GTEST_SKIP() << reason_;
    use({Host{"a"}.set("hypervisor", hypervisor_->uri()).set("domain", "web01"),
         Host{"b"}.set("hypervisor", hypervisor_->uri()).set("domain", "web02")});
  }
  static pid_t qemu_of(const std::string& domain) {
    const auto found = run({.argv = {"pgrep", "-f", "guest=" + domain + ",.*" + hypervisor_->directory()}});
    return found.code == 0 ? static_cast<pid_t>(std::stol(found.out)) : 0;
  }
  std::string up(const std::string& name) const {
    return metric("muster_vm_up{vm=\"" + name + "\",hypervisor=\"" + hypervisor_->uri() + "\"}");
  }

  static inline std::unique_ptr<Hypervisor> hypervisor_;
  static inline std::string reason_;
};

TEST_F(OnQemu, StatsHaveWhatLibvirtKnows) {
  const auto lines = json_lines(muster({"vm", "stats", "a", "--json"}).out);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].value("name", ""), "web01");
  EXPECT_GT(lines[0].value("resident_bytes", 0ULL), 1U << 20);
  EXPECT_TRUE(lines[0].contains("cpu_percent") && lines[0].contains("steal_seconds")) << lines[0];
  EXPECT_EQ(lines[0]["disks"][0].value("target", ""), "vda");
  EXPECT_TRUE(lines[0]["disks"][0].contains("write_requests_per_second")) << lines[0];
  EXPECT_TRUE(lines[1].contains("cpu_percent") && lines[1].contains("idle_seconds")) << lines[1];
}

nlohmann::json result_named(const Finished& done, const std::string& name) {
  for (const auto& line : json_lines(done.out))
    if (line.value("name", "") == name) return line;
  ADD_FAILURE() << "no " << name << "\n" << told(done);
  return nlohmann::json::object();
}

TEST_F(OnQemu, AnEmulatorThatHangsIsDownAndHoldsUpNobody) {
  ASSERT_EQ(write_metrics().code, 0);
  EXPECT_EQ(up("a"), "1");
  const pid_t qemu = qemu_of("web01");
  ASSERT_GT(qemu, 1);
  ::kill(qemu, SIGSTOP);
  const auto done = write_metrics();
  const auto listed = muster({"vm", "list", "--json"});
  ::kill(qemu, SIGCONT);
  EXPECT_EQ(done.code, 3) << told(done);
  EXPECT_TRUE(contains(done.err, "no answer from a")) << told(done);
  EXPECT_LT(done.took, 9s);
  EXPECT_EQ(up("a"), "0") << told(done);
  EXPECT_EQ(up("b"), "1") << told(done);
  EXPECT_NE(metric("muster_vm_stale_seconds{vm=\"a\",hypervisor=\"" + hypervisor_->uri() + "\"}"), "+Inf");
  EXPECT_TRUE(result_named(listed, "web01").value("stale", false)) << told(listed);
  EXPECT_FALSE(result_named(listed, "web02").value("stale", false)) << told(listed);
  EXPECT_TRUE(wait_until([&] { return write_metrics().code == 0 && up("a") == "1"; })) << "it is awake again";
}

TEST_F(OnQemu, EventsComeAsTheyHappen) {
  MusterProcess events(command({"vm", "events", "a", "--json", "--count", "2"}));
  ASSERT_TRUE(events.wait_for_error("watching"));
  hypervisor_->virsh({"suspend", "web02"});
  hypervisor_->virsh({"resume", "web02"});
  hypervisor_->virsh({"suspend", "web01"});
  ASSERT_TRUE(events.wait_for("suspended")) << events.err();
  hypervisor_->virsh({"resume", "web01"});
  const auto done = events.finish();
  EXPECT_EQ(done.code, 0) << told(done);
  const auto lines = json_lines(done.out);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].value("host", ""), "a");
  EXPECT_EQ(lines[0].value("event", ""), "lifecycle");
  EXPECT_TRUE(std::regex_match(lines[0].value("time", ""), std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")))
      << lines[0];
  EXPECT_EQ(lines[0].value("what", ""), "suspended");
  EXPECT_EQ(lines[0].value("detail", ""), "paused");
  EXPECT_EQ(lines[1].value("what", ""), "resumed");
  EXPECT_EQ(summary_of(lines).value("events", 0), 2);
}

TEST_F(OnQemu, AHypervisorThatIsLostIsSaidAndComesBack) {
  MusterProcess events(command({"vm", "events", "--count", "1"}));
  ASSERT_TRUE(events.wait_for_error("watching"));
  hypervisor_->kill_daemon();
  ASSERT_TRUE(events.wait_for_error("not watching")) << events.err();
  const std::size_t told_so_far = events.err().size();
  hypervisor_->restart();
  ASSERT_TRUE(events.wait_for_error("watching", told_so_far)) << events.err();
  hypervisor_->virsh({"suspend", "web01"});
  const auto done = events.finish();
  hypervisor_->virsh({"resume", "web01"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, " a: lifecycle suspended (paused)")) << told(done);
}

}  // namespace
}  // namespace muster::e2e
