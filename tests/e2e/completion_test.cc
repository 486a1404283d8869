// Completion as a user sees it: an interactive shell on a terminal, keys typed, and what the line is afterwards.
#include <filesystem>
#include <sstream>

#include "cli/option_table.h"
#include "cli/verb_table.h"
#include "tests/e2e/end_to_end.h"
#include "tests/e2e/hypervisor.h"
#include "tests/e2e/pty_process.h"
#include "tests/e2e/silent_socket.h"

namespace muster::e2e {
namespace {

constexpr const char* kPrompt = "ready> ";

class Completion : public EndToEnd, public testing::WithParamInterface<std::string> {
 protected:
  Completion() {
    write(file("fleet.yaml"),
          "web:\n  hosts: {web01: , web02: , mail7: }\nprod:\n  hosts: {db-main: }\n  vars: {user: admin}\n");
    write(file("other.yaml"), "lab:\n  hosts: {rack9: }\n");
    write(file("script.sh"), "true\n");
    const std::string keep = "keep() { printf '<%s>' \"$1\" >" + file("line") + "; printf 'kept %d.' $((++kept)); }\n";
    write(file(".zshrc"),
          "PS1='" + std::string(kPrompt) + "'\nfpath=(" + build("completion") +
              " $fpath)\nautoload -Uz compinit && compinit -u -D\nsetopt no_beep no_list_ambiguous\n" +
              "unsetopt auto_menu\n" + keep +
              "leave() { keep \"$BUFFER\"; BUFFER= }\nzle -N leave\nbindkey '^I' expand-or-complete '^T' leave\n");
    write(file("bashrc"),
          "PS1='" + std::string(kPrompt) + "'\n. " + build("completion/muster") + "\n" + keep +
              "leave() { keep \"$READLINE_LINE\"; READLINE_LINE= READLINE_POINT=0; }\nbind -x '\"\\C-t\": leave'\n" +
              "bind 'set bell-style none'\nbind 'set show-all-if-ambiguous off'\n");
  }

  static std::string build(const std::string& name) { return std::string(MUSTER_BUILD_DIR) + "/" + name; }

  // Before it is looked whether anything was left running.
  void TearDown() override {
    inventory_shell_ = {};
    bare_shell_ = {};
    EndToEnd::TearDown();
  }

  Launch launch(bool with_inventory) const {
    Launch launch = command({});
    launch.argv = GetParam() == "bash"
                      ? std::vector<std::string>{"bash", "--noprofile", "--rcfile", file("bashrc"), "-i"}
                      : std::vector<std::string>{"zsh", "-d", "-i"};
    launch.environment.push_back("ZDOTDIR=" + file(""));
    launch.environment.push_back("PATH=" + build("bin") + ":/usr/local/bin:/usr/bin:/bin");
    if (with_inventory) launch.environment.push_back("MUSTER_INVENTORY=" + file("fleet.yaml"));
    return launch;
  }

  // What `typed` has become after a tab, without blanks at its end. A line after the other in one shell.
  std::string completed(const std::string& typed) { return completed(inventory_shell_, true, typed); }
  // The same where no inventory is named, which would win over a connection.
  std::string completed_without_inventory(const std::string& typed) { return completed(bare_shell_, false, typed); }

 private:
  struct Shell {
    std::unique_ptr<PtyProcess> process;
    int lines = 0;
  };

  std::string completed(Shell& shell, bool with_inventory, const std::string& typed) const {
    if (!shell.process) {
      shell.process = std::make_unique<PtyProcess>(launch(with_inventory));
      EXPECT_TRUE(shell.process->wait_for(kPrompt)) << shell.process->screen();
    }
    shell.process->write(typed + "\t\x14");
    EXPECT_TRUE(shell.process->wait_for("kept " + std::to_string(++shell.lines) + ".")) << shell.process->screen();
    std::string line = read(file("line"));
    line = line.substr(1, line.rfind('>') - 1);
    return line.substr(0, line.find_last_not_of(' ') + 1);
  }

  Shell inventory_shell_, bare_shell_;
};

TEST_P(Completion, KnowsCommands) {
  EXPECT_EQ(completed("muster inv"), "muster inventory");
  EXPECT_EQ(completed("muster help do"), "muster help doctor");
  EXPECT_EQ(completed("muster inventory ch"), "muster inventory check");
}

TEST_P(Completion, KnowsTheOptionsOfTheCommand) {
  const std::string sign = GetParam() == "zsh" ? "=" : "";  // of options with a value
  EXPECT_EQ(completed("muster run --idle"), "muster run --idle-timeout" + sign);
  EXPECT_EQ(completed("muster ping --idle"), "muster ping --idle");
  EXPECT_EQ(completed("muster --inven"), "muster --inventory" + sign);
  EXPECT_EQ(completed("muster run all -- --idle"), "muster run all -- --idle") << "the remote command's";
  EXPECT_EQ(completed("muster run all --gat"), "muster run all --gather");
}

TEST_P(Completion, KnowsValuesOfOptions) {
  EXPECT_EQ(completed("muster run --host-keys acc"), "muster run --host-keys accept-new");
  EXPECT_EQ(completed("muster run --host-keys=acc"), "muster run --host-keys=accept-new");
  EXPECT_EQ(completed("muster ping --transport o"), "muster ping --transport openssh");
  EXPECT_EQ(completed("muster run all --script " + file("scr")), "muster run all --script " + file("script.sh"));
  EXPECT_EQ(completed("muster run --limit db"), "muster run --limit db-main");
}

TEST_P(Completion, KnowsHostsAndGroups) {
  EXPECT_EQ(completed("muster run mai"), "muster run mail7");
  EXPECT_EQ(completed("muster run -b -f 3 mai"), "muster run -b -f 3 mail7");
  EXPECT_EQ(completed("muster ping pr"), "muster ping prod");
  EXPECT_EQ(completed("muster ssh db"), "muster ssh db-main");
  EXPECT_EQ(completed("muster inventory list pr"), "muster inventory list prod");
  EXPECT_EQ(completed("muster inventory show mai"), "muster inventory show mail7");
  EXPECT_EQ(completed("muster ssh pr"), "muster ssh pr") << "a group is no host";
}

TEST_P(Completion, KnowsTheLastTermOfAPattern) {
  EXPECT_EQ(completed("muster run web,mai"), "muster run web,mail7");
  EXPECT_EQ(completed("muster run web:mai"), "muster run web:mail7");
  EXPECT_EQ(completed("muster run web01:web02:pr"), "muster run web01:web02:prod");
  for (const std::string sign : {"&", "!", "^"})
    EXPECT_EQ(completed("muster run 'web:" + sign + "mai").substr(0, 21), "muster run 'web:" + sign + "mail");
  EXPECT_EQ(completed("muster run web,@" + file("fle")), "muster run web,@" + file("fleet.yaml"));
}

TEST_P(Completion, ReadsTheInventoryThatTheLineNames) {
  EXPECT_EQ(completed("muster -i " + file("other.yaml") + " run ra"), "muster -i " + file("other.yaml") + " run rack9");
  EXPECT_EQ(completed("muster run --inventory=" + file("other.yaml") + " la"),
            "muster run --inventory=" + file("other.yaml") + " lab");
}

TEST_P(Completion, KnowsVerbsAndTheirOptions) {
  const std::string sign = GetParam() == "zsh" ? "=" : "";  // of options with a value
  EXPECT_EQ(completed("muster vm autos"), "muster vm autostart");
  EXPECT_EQ(completed("muster vm stats --prom"), "muster vm stats --prometheus" + sign);
  EXPECT_EQ(completed("muster vm start --prom"), "muster vm start --prom") << "another verb's";
  EXPECT_EQ(completed("muster vm top --sort mem"), "muster vm top --sort memory");
  EXPECT_EQ(completed("muster vm wait --for ag"), "muster vm wait --for agent");
  EXPECT_EQ(completed("muster vm wait --for po"), "muster vm wait --for port:");
  EXPECT_EQ(completed("muster vm create --wait=po"), "muster vm create --wait=port:");
  EXPECT_EQ(completed("muster vm stop mai"), "muster vm stop mail7");
  EXPECT_EQ(completed("muster vm stop web,pr"), "muster vm stop web,prod");
  EXPECT_EQ(completed("muster vm console db"), "muster vm console db-main");
  EXPECT_EQ(completed("muster vm autostart web01 of"), "muster vm autostart web01 off");
  EXPECT_EQ(completed("muster vm rename web01 ma"), "muster vm rename web01 ma") << "a new name is nobody's";
}

TEST_P(Completion, KnowsRestorePointsAndRepositories) {
  const std::string repository = file("repo");
  write(file("disk.raw"), "something");
  ASSERT_EQ(muster({"backup", "init", "-q", repository}).code, 0);
  for (const std::string name : {"web01", "mail7"})
    ASSERT_EQ(muster({"backup", "create", "-q", "-R", repository, "--name", name, "--image", file("disk.raw")}).code,
              0);
  const auto listed = muster({"backup", "list", "--json", "-R", repository, "web01"});
  const std::string id = json_lines(listed.out).at(0).value("point", "");
  const std::string line = "muster backup -R " + repository + " ";
  EXPECT_EQ(completed("muster backup res"), "muster backup restore");
  EXPECT_EQ(completed("muster backup key exp"), "muster backup key export");
  EXPECT_EQ(completed("muster backup restore --veri"), "muster backup restore --verify");
  EXPECT_EQ(completed("muster backup check --veri"), "muster backup check --veri") << "another verb's";
  EXPECT_EQ(completed(line + "restore web"), line + "restore web01@");
  EXPECT_EQ(completed(line + "restore web01@la"), line + "restore web01@latest");
  EXPECT_EQ(completed(line + "show " + id.substr(0, 6)), line + "show " + id.substr(0, 8));
  EXPECT_EQ(completed(line + "pin web01@latest mail7@la"), line + "pin web01@latest mail7@latest");
  EXPECT_EQ(completed(line + "diff web01@latest mail7@la"), line + "diff web01@latest mail7@latest");
  EXPECT_EQ(completed(line + "forget mai"), line + "forget mail7");
  EXPECT_EQ(completed("muster backup --repository=" + repository + " list mai"),
            "muster backup --repository=" + repository + " list mail7");
  EXPECT_EQ(completed("muster backup list -R " + file("rep")), "muster backup list -R " + repository + "/");
  EXPECT_EQ(completed("muster backup key add --role main"), "muster backup key add --role maintenance");
}

TEST_P(Completion, KnowsDomainsOfTheConnection) {
  EXPECT_EQ(completed_without_inventory("muster vm -c test:///default info te"),
            "muster vm -c test:///default info test");
  EXPECT_EQ(completed_without_inventory("muster vm stop --connection=test:///default te"),
            "muster vm stop --connection=test:///default test");
  EXPECT_EQ(completed("muster vm -c test:///default info mai"), "muster vm -c test:///default info mail7");
}

TEST_P(Completion, KnowsVerbsOfMastersClonesAndKeys) {
  const std::string sign = GetParam() == "zsh" ? "=" : "";  // of options with a value
  EXPECT_EQ(completed("muster mast"), "muster master");
  EXPECT_EQ(completed("muster master rem"), "muster master remove");
  EXPECT_EQ(completed("muster clone flat"), "muster clone flatten");
  EXPECT_EQ(completed("muster key sc"), "muster key scan");
  EXPECT_EQ(completed("muster master edit --prom"), "muster master edit --promote");
  EXPECT_EQ(completed("muster clone create --mac"), "muster clone create --mac-prefix" + sign);
  EXPECT_EQ(completed("muster clone create --wait ag"), "muster clone create --wait agent");
  EXPECT_EQ(completed("muster master seal --guest off"), "muster master seal --guest offline");
  EXPECT_EQ(completed("muster master seal db"), "muster master seal db-main");
  EXPECT_EQ(completed("muster play " + file("scr")), "muster play " + file("script.sh"));
  EXPECT_EQ(completed("muster disk resize mai"), "muster disk resize mail7");
  EXPECT_EQ(completed("muster disk info " + file("scr")), "muster disk info " + file("script.sh"));
  EXPECT_EQ(completed("muster clone flatten mai"), "muster clone flatten mail7");
  EXPECT_EQ(completed("muster clone verify web01,pr"), "muster clone verify web01,prod");
  EXPECT_EQ(completed("muster key scan --via hypervisor mai"), "muster key scan --via hypervisor mail7");
  EXPECT_EQ(completed_without_inventory("muster clone flatten -c test:///default te"),
            "muster clone flatten -c test:///default test");
}

TEST_P(Completion, KnowsMastersOfTheConnection) {
  if (const std::string reason = no_hypervisor_because(); !reason.empty()) GTEST_SKIP() << reason;
  const Hypervisor hypervisor;
  hypervisor.virsh({"pool-create-as", "default", "dir", "--target", hypervisor.directory()});
  const std::string connection = "-c '" + hypervisor.uri() + "'";
  for (const std::string name : {"golden", "web"}) {
    hypervisor.make_disk(name);
    const std::string image = hypervisor.directory() + "/" + name + ".qcow2";
    ASSERT_TRUE(std::filesystem::exists(image));
    const auto sealed =
        run({.argv = {program("muster"), "master", "seal", "-q", "-c", hypervisor.uri(), image, "--name", name}});
    ASSERT_EQ(sealed.code, 0) << told(sealed);
  }
  for (const std::string verb : {"master list", "master edit", "master remove", "clone create", "clone list"}) {
    const std::string line = "muster " + verb + " " + connection + " gol";
    EXPECT_EQ(completed_without_inventory(line), line + "den");
  }
  const std::string line = "muster clone create " + connection + " golden gol";
  EXPECT_EQ(completed_without_inventory(line), line) << "a new name is nobody's";
  write(file("hosts.yaml"), "all:\n  hosts: {h1: {hypervisor: '" + hypervisor.uri() + "'}}\n");
  EXPECT_EQ(completed("muster master edit -i " + file("hosts.yaml") + " gol"),
            "muster master edit -i " + file("hosts.yaml") + " golden");
}

TEST_P(Completion, GivesAHypervisorThatHangsASecond) {
  const SilentSocket silent(file("silent"));
  const std::string typed = "muster vm info -c 'qemu+unix:///system?socket=" + file("silent") + "' te";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(completed_without_inventory(typed), typed);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  const std::string masters = "muster master edit -c 'qemu+unix:///system?socket=" + file("silent") + "' te";
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(completed_without_inventory(masters), masters);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
}

TEST_P(Completion, IsSilentWhereTheInventoryIsBroken) {
  write(file("broken.yaml"), "web: [\n");
  EXPECT_EQ(completed("muster run -i " + file("broken.yaml") + " we"), "muster run -i " + file("broken.yaml") + " we");
}

INSTANTIATE_TEST_SUITE_P(Shells, Completion, testing::Values("bash", "zsh"),
                         [](const auto& instance) { return instance.param; });

// Every option of the table, and no other, is offered.
class CompletionTables : public EndToEnd {
 protected:
  Finished in_bash(const std::string& text) const {
    Launch launch = command({});
    launch.argv = {"bash", "-c", ". " + std::string(MUSTER_BUILD_DIR) + "/completion/muster; " + text};
    return run(launch);
  }
};

TEST_F(CompletionTables, BashOffersAllOptionsOfEachCommand) {
  for (const auto& command : cli::command_rows()) {
    const std::string line = "muster " + std::string(command.name) + " --";
    const auto done = in_bash("COMP_LINE='" + line + "' COMP_POINT=" + std::to_string(line.size()) +
                              "; _muster; printf '%s\\n' \"${COMPREPLY[@]}\"");
    std::string expected;
    for (const auto& option : cli::option_rows())
      if ((option.commands & command.bit) != 0) expected += "--" + std::string(option.name) + "\n";
    EXPECT_EQ(done.out, expected) << command.name;
    EXPECT_EQ(done.err, "");
  }
}

TEST_F(CompletionTables, BashOffersTheOptionsOfEachVerb) {
  for (const auto& verb : cli::verb_rows()) {
    const std::string key = std::string(verb.command) + " " + std::string(verb.name);
    const auto done = in_bash("printf '%s\n' ${_muster_options['" + key + "']} | grep -- ^--");
    std::string expected;
    for (const auto& option : cli::option_rows())
      if ((option.commands & cli::find_command(verb.command)->bit) != 0 && cli::takes(verb, option))
        expected += "--" + std::string(option.name) + "\n";
    EXPECT_EQ(done.out, expected) << key;
  }
}

TEST_F(CompletionTables, OfferedValuesAreTaken) {
  write(file("inventory.yaml"), "web:\n  hosts: {web01: }\n");
  for (const std::string option : {"--host-keys", "--transport"}) {
    const auto done = in_bash("echo ${_muster_values[" + option + "]#one of }");
    std::istringstream words(done.out);
    int seen = 0;
    for (std::string word; words >> word; ++seen)
      EXPECT_EQ(muster({"run", "web01", "--dry-run", option, word, "--", "true"}).code, 0) << option << " " << word;
    EXPECT_EQ(seen, 3) << done.out;
  }
}

}  // namespace
}  // namespace muster::e2e
