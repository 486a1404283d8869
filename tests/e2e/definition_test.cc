// muster vm edit, rename and console, on terminals and without, against a real libvirtd with QEMU and containers.
#include <filesystem>

#include <signal.h>

#include "tests/e2e/end_to_end.h"
#include "tests/e2e/hypervisor.h"
#include "tests/e2e/process_table.h"
#include "tests/e2e/pty_process.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

// One hypervisor for all, with `web01`, which is off, and `web02`, which runs.
class Definition : public EndToEnd {
 protected:
  static void SetUpTestSuite() {
    reason_ = no_hypervisor_because();
    if (!reason_.empty()) return;
    hypervisor_ = std::make_unique<Hypervisor>();
    hypervisor_->define(std::vector<NoOsDomain>{{.name = "web01"}, {.name = "web02"}});
    hypervisor_->virsh({"start", "web02"});
  }
  static void TearDownTestSuite() { hypervisor_.reset(); }
  void SetUp() override {
    if (!reason_.empty()) GTEST_SKIP() << reason_;
    use({Host{"off"}.set("hypervisor", hypervisor_->uri()).set("domain", "web01"),
         Host{"on"}.set("hypervisor", hypervisor_->uri()).set("domain", "web02")});
  }

  static std::string definition(const std::string& domain) {
    return hypervisor_->virsh({"dumpxml", "--inactive", "--security-info", domain});
  }
  static std::string memory_of(const std::string& domain) {
    const std::string xml = definition(domain);
    const std::size_t from = xml.find('>', xml.find("<memory")) + 1;
    return xml.substr(from, xml.find('<', from) - from);
  }
  // The definition of `domain` with `from` replaced, in a file.
  std::string edited(const std::string& domain, const std::string& from, const std::string& to) const {
    std::string xml = definition(domain);
    const std::size_t at = xml.find(from);
    EXPECT_NE(at, std::string::npos) << xml;
    write(file("edited.xml"), xml.replace(at, from.size(), to));
    return file("edited.xml");
  }
  // On a terminal, with an editor that runs `commands` on the file $1.
  Launch with_editor(const std::string& commands, const std::vector<std::string>& arguments) const {
    write(file("editor"), "#!/bin/sh\n" + commands + "\n", 0700);
    Launch launch = command(arguments);
    launch.environment.push_back("EDITOR=" + file("editor"));
    return launch;
  }
  // Of what was written and not defined.
  std::string draft() const {
    for (const auto& entry : std::filesystem::directory_iterator(file("tmp"))) {
      const std::string text = read(entry.path());
      std::filesystem::remove(entry.path());
      return text;
    }
    return "";
  }

  static inline std::unique_ptr<Hypervisor> hypervisor_;
  static inline std::string reason_;
};

TEST_F(Definition, IsTakenFromAFileAndShownAsADiff) {
  const std::string xml = edited("web01", "unit='KiB'>65536</memory>", "unit='KiB'>70656</memory>");
  const auto plan = muster({"vm", "edit", "off", "--file", xml, "--dry-run"});
  EXPECT_EQ(plan.code, 0) << told(plan);
  EXPECT_TRUE(contains(plan.out, "-  <memory unit='KiB'>65536</memory>\n+  <memory unit='KiB'>70656</memory>"))
      << told(plan);
  EXPECT_EQ(memory_of("web01"), "65536");
  const auto done = json_lines(muster({"vm", "edit", "off", "--file", xml, "--json"}).out);
  ASSERT_EQ(done.size(), 2U);
  EXPECT_TRUE(done[0].value("changed", false));
  EXPECT_TRUE(contains(done[0].value("diff", ""), "+  <memory unit='KiB'>70656</memory>"));
  EXPECT_EQ(memory_of("web01"), "70656");
  EXPECT_EQ(muster({"vm", "edit", "-q", "off", "--file", xml}).out, "off: nothing changed\n");
  muster({"vm", "edit", "off", "--file", edited("web01", ">70656</memory>", ">65536</memory>")});
  EXPECT_EQ(memory_of("web01"), "65536");
}

TEST_F(Definition, ThatIsNoneIsRefusedAndNothingChanges) {
  const std::string before = definition("web01");
  const auto other_name = muster({"vm", "edit", "off", "--file", edited("web01", "<name>web01<", "<name>web09<")});
  EXPECT_EQ(other_name.code, 2) << told(other_name);
  EXPECT_TRUE(contains(other_name.err, "muster vm rename")) << told(other_name);
  EXPECT_EQ(muster({"vm", "edit", "off", "--file", edited("web01", "<uuid>", "<uuid>f")}).code, 2);
  const auto nonsense = muster({"vm", "edit", "off", "--file", edited("web01", "<vcpu ", "<nonsense/><vcpu ")});
  EXPECT_EQ(nonsense.code, 2) << told(nonsense);
  EXPECT_EQ(muster({"vm", "edit", "off"}).code, 2) << "there is no terminal";
  EXPECT_EQ(definition("web01"), before);
}

TEST_F(Definition, GoesThroughTheEditorAndAQuestion) {
  PtyProcess edit(with_editor("sed -i 's,>65536</memory>,>71680</memory>,' \"$1\"", {"vm", "edit", "on"}));
  EXPECT_TRUE(edit.wait_for("[N]o: ")) << edit.screen();
  EXPECT_TRUE(contains(edit.screen(), "+  <memory unit='KiB'>71680</memory>")) << edit.screen();
  EXPECT_EQ(memory_of("web02"), "65536") << "nobody has said yes";
  edit.write("y\n");
  const auto done = edit.finish();
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "takes effect at its next start")) << told(done);
  EXPECT_EQ(memory_of("web02"), "71680");
  EXPECT_EQ(draft(), "");
}

TEST_F(Definition, ThatLibvirtRefusesCanBeEditedAgainAndIsNotLost) {
  const std::string before = definition("web01");
  PtyProcess edit(with_editor("echo '<!-- again -->' >>\"$1\"; sed -i 's,</domain>,<nonsense/></domain>,' \"$1\"",
                              {"vm", "edit", "off"}));
  EXPECT_TRUE(edit.wait_for("[N]o: ")) << edit.screen();
  edit.write("y\n");
  EXPECT_TRUE(edit.wait_for("edit again? [Y/n] ")) << edit.screen();
  edit.write("y\n");
  EXPECT_TRUE(edit.wait_for("again -->\r\n+<!-- again")) << "the first edit was not lost\n" << edit.screen();
  edit.write("n\n");
  const auto done = edit.finish();
  EXPECT_EQ(done.code, 5) << told(done);
  EXPECT_TRUE(contains(done.out, "what was written is in " + file("tmp"))) << told(done);
  EXPECT_TRUE(contains(draft(), "<nonsense/><nonsense/>"));
  EXPECT_EQ(definition("web01"), before);
}

TEST_F(Definition, OfAnotherHandIsLeftAlone) {
  // The editor's user is slow, and somebody else quick.
  PtyProcess edit(with_editor("sed -i 's,>65536</memory>,>72704</memory>,' \"$1\"", {"vm", "edit", "off"}));
  EXPECT_TRUE(edit.wait_for("[N]o: ")) << edit.screen();
  hypervisor_->virsh({"desc", "web01", "--config", "theirs"});
  edit.write("y\n");
  EXPECT_TRUE(edit.wait_for("was changed meanwhile")) << edit.screen();
  EXPECT_TRUE(edit.wait_for("edit again? [Y/n] ")) << edit.screen();
  edit.write("n\n");
  EXPECT_EQ(edit.finish().code, 11);
  EXPECT_TRUE(contains(draft(), "72704"));
  EXPECT_EQ(memory_of("web01"), "65536");
}

TEST_F(Definition, CtrlCBelongsToTheEditor) {
  // Ready once the terminal is its own. What it says at the Ctrl-C goes into a file: the terminal drops what is written
  // at that moment.
  PtyProcess edit(with_editor("trap 'echo caught >" + file("caught") +
                                  "; exit 0' INT; until ps -o stat= -p $$ | grep -q +; do sleep 0.05; done; "
                                  "echo ready; while :; do sleep 0.05; done",
                              {"vm", "edit", "off"}));
  EXPECT_TRUE(edit.wait_for("ready")) << edit.screen();
  edit.write("\x03");
  EXPECT_TRUE(edit.wait_for("nothing changed")) << edit.screen();
  const auto done = edit.finish();
  EXPECT_TRUE(std::filesystem::exists(file("caught"))) << told(done);
  EXPECT_EQ(done.code, 0) << told(done);
}

TEST_F(Definition, IsRenamedWhileTheMachineIsOff) {
  const auto plan = muster({"vm", "rename", "off", "web09", "--dry-run"});
  EXPECT_EQ(plan.out, "off: rename web01 to web09 on " + hypervisor_->uri() + "\n") << told(plan);
  const auto done = muster({"vm", "rename", "off", "web09"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.err, "give off `domain: web09`")) << told(done);
  EXPECT_EQ(hypervisor_->state("web09"), "shut off");
  hypervisor_->virsh({"domrename", "web09", "web01"});
  const auto running = muster({"vm", "rename", "on", "web09"});
  EXPECT_EQ(running.code, 5) << told(running);
  const auto taken = muster({"vm", "rename", "off", "web02"});
  EXPECT_NE(taken.code, 0) << told(taken);
  EXPECT_TRUE(contains(taken.err, "already exists")) << told(taken);
  EXPECT_EQ(muster({"vm", "rename", "all", "web09"}).code, 2) << "of two machines";
}

// A container whose console is a pipe back.
class Console : public Definition {
 protected:
  void SetUp() override {
    Definition::SetUp();
    if (IsSkipped()) return;
    write(file("echo.xml"),
          "<domain type='lxc'><name>echo</name><memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type>exe</type>"
          "<init>/bin/cat</init></os><devices><console type='pty'/></devices></domain>");
    const auto created = virsh_lxc({"create", file("echo.xml")});
    ASSERT_EQ(created.code, 0) << told(created);
  }
  void TearDown() override {
    if (!IsSkipped()) virsh_lxc({"destroy", "echo"});
    Definition::TearDown();
  }
  static Finished virsh_lxc(const std::vector<std::string>& words) {
    std::vector<std::string> argv = {"virsh", "-q", "-c", hypervisor_->lxc_uri()};
    argv.insert(argv.end(), words.begin(), words.end());
    return run({.argv = argv});
  }
  Launch shell_around_console() const {
    Launch launch = command({});
    launch.argv = {"sh", "-c",
                   "stty -g >" + file("before") + "; trap : INT; " + program("muster") + " vm console '" +
                       hypervisor_->lxc_uri() + "#echo'; echo \"status=$?\"; stty -g >" + file("after")};
    return launch;
  }
  void expect_terminal_as_it_was(PtyProcess& shell, int status) {
    EXPECT_TRUE(shell.wait_for("status=" + std::to_string(status))) << shell.screen();
    shell.finish();
    EXPECT_EQ(read(file("before")), read(file("after")));
  }
};

TEST_F(Console, IsTheMachinesUntilTheEscape) {
  PtyProcess shell(shell_around_console());
  EXPECT_TRUE(shell.wait_for("^] leaves it")) << shell.screen();
  shell.write("good day\r");
  EXPECT_TRUE(shell.wait_for("good day\r\ngood day\r\n")) << "what the terminal there and then cat say\n"
                                                          << shell.screen();
  shell.write("\x1d");
  expect_terminal_as_it_was(shell, 0);
}

TEST_F(Console, EndsWithTheMachine) {
  PtyProcess shell(shell_around_console());
  EXPECT_TRUE(shell.wait_for("^] leaves it")) << shell.screen();
  EXPECT_EQ(virsh_lxc({"destroy", "echo"}).code, 0);
  EXPECT_TRUE(shell.wait_for("has ended")) << shell.screen();
  expect_terminal_as_it_was(shell, 0);
}

TEST_F(Console, LeavesTheTerminalAsItWasWhenItsWorkerIsKilled) {
  PtyProcess shell(shell_around_console());
  EXPECT_TRUE(shell.wait_for("^] leaves it")) << shell.screen();
  for (const pid_t pid : process_tree(shell.pid()))
    if (contains(process_file(pid, "cmdline"), "--console")) ::kill(pid, SIGKILL);
  expect_terminal_as_it_was(shell, 0);
}

TEST_F(Definition, AConsoleIsOnesOwnUnlessItIsForced) {
  const auto without = muster({"vm", "console", "on"});
  EXPECT_EQ(without.code, 2) << told(without);
  PtyProcess first(command({"vm", "console", "on"}));
  EXPECT_TRUE(first.wait_for("^] leaves it")) << first.screen();
  PtyProcess second(command({"vm", "console", "on"}));
  const auto refused = second.finish();
  EXPECT_EQ(refused.code, 11) << told(refused);
  EXPECT_TRUE(contains(refused.out, "--force")) << told(refused);
  PtyProcess third(command({"vm", "console", "on", "--force"}));
  EXPECT_TRUE(third.wait_for("^] leaves it")) << third.screen();
  EXPECT_EQ(first.finish().code, 0) << "taken away";
  third.write("\x1d");
  EXPECT_EQ(third.finish().code, 0);
  PtyProcess off(command({"vm", "console", "off"}));
  EXPECT_EQ(off.finish().code, 5) << "it does not run";
}

}  // namespace
}  // namespace muster::e2e
