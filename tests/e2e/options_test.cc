// The options of `run`, its exit statuses, and what its programs load.
#include <algorithm>
#include <filesystem>
#include <sstream>

#include "tests/e2e/bad_peer.h"
#include "tests/e2e/end_to_end.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

class Options : public EndToEnd {
 protected:
  Options() { use_hosts(3); }
  void use_hosts(int count) {
    std::vector<Host> hosts;
    for (int i = 1; i <= count; ++i) hosts.push_back(host(server_, "web0" + std::to_string(i)));
    use(hosts);
  }
  // What each host appends to one file, in the order in which they came.
  std::string noted() const { return std::filesystem::exists(file("notes")) ? read(file("notes")) : ""; }
  std::string note(const std::string& word) const { return "echo " + word + " >> " + file("notes"); }
  std::size_t sessions() const { return server_.logged("Accepted publickey"); }
  SshServer server_{accepting_key()};
};

TEST_F(Options, AllWellIsZero) { EXPECT_EQ(muster({"run", "all", "--", "true"}).code, 0); }

TEST_F(Options, AllFailedIsOne) { EXPECT_EQ(muster({"run", "all", "--", "exit 77"}).code, 1); }

TEST_F(Options, NothingMatchedIsTwoAndStartsNothing) {
  const auto done = muster({"run", "nobody", "--", "true"});
  EXPECT_EQ(done.code, 2);
  EXPECT_TRUE(contains(done.err, "nobody")) << told(done);
  EXPECT_EQ(sessions(), 0U);
}

TEST_F(Options, WrongUsageIsTwoAndStartsNothing) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"run", "all", "--no-such-option", "--", "true"},
           {"run", "all"},
           {"run"},
           {"no-such-command"},
           {"run", "all", "--fanout", "0", "--", "true"},
           {"run", "all", "--connect-timeout", "soon", "--", "true"},
           {"run", "all", "--serial", "150%", "--", "true"},
           {"run", "all", "--host-keys", "perhaps", "--", "true"},
       }) {
    const auto done = muster(words);
    EXPECT_EQ(done.code, 2) << words.back() << '\n' << told(done);
    EXPECT_NE(done.err, "");
  }
  EXPECT_EQ(sessions(), 0U);
}

TEST_F(Options, SomeFailedIsThreeAndTheyAreNamed) {
  const auto done =
      muster({"run", "all", "--fanout", "1", "--", note("x") + "; test $(wc -l < " + file("notes") + ") != 2"});
  EXPECT_EQ(done.code, 3) << told(done);
  EXPECT_TRUE(contains(done.err, "web0")) << told(done);
}

TEST_F(Options, NothingReachedIsFifteen) {
  const Endpoint closed{.address = server_.endpoint().address, .port = free_port(server_.endpoint().address)};
  use({host(closed, "web01"), host(closed, "web02")});
  EXPECT_EQ(muster({"run", "all", "--", "true"}).code, 15);
}

TEST_F(Options, MissingCommandIs127ThereAndOneHere) {
  const auto done = muster({"run", "web01", "--json", "--", "no-such-program-anywhere"});
  EXPECT_EQ(done.code, 1);
  EXPECT_EQ(result_of(json_lines(done.out), "web01").value("rc", -1), 127) << told(done);
}

TEST_F(Options, DeathBySignalIsToldApart) {
  const auto done = muster({"run", "web01", "--json", "--", "kill -KILL $$"});
  EXPECT_EQ(done.code, 1);
  const auto result = result_of(json_lines(done.out), "web01");
  EXPECT_EQ(result.value("state", ""), "failed");
  EXPECT_EQ(result.value("signal", ""), "KILL") << told(done);
  EXPECT_TRUE(!result.contains("rc") || result.at("rc").is_null());
}

TEST_F(Options, LargestRemoteStatusCanBeHandedOn) {
  const auto done =
      muster({"run", "all", "--max-rc", "--", note("x") + "; exit $((40 + $(wc -l < " + file("notes") + ")))"});
  EXPECT_GE(done.code, 41) << told(done);
  EXPECT_LE(done.code, 43);
  EXPECT_EQ(muster({"run", "all", "--max-rc", "--", "true"}).code, 0);
}

TEST_F(Options, WordsBecomeOneStringForTheLoginShell) {
  const auto done = muster({"run", "web01", "--", "echo", "a  b", ";", "echo", "$((1+1))"});
  EXPECT_EQ(done.out, "web01: a b\nweb01: 2\n") << told(done);
}

TEST_F(Options, OptionsOfTheCommandAreItsOwnAfterTwoDashes) {
  const auto done = muster({"run", "web01", "--no-prefix", "--", "echo", "--json", "-f"});
  EXPECT_EQ(done.out, "--json -f\n") << told(done);
}

TEST_F(Options, StandardInputGoesToAll) {
  const auto done = muster({"run", "all", "--stdin", "--", "wc -c"}, std::string(300'000, 'x'));
  EXPECT_EQ(done.code, 0) << told(done);
  for (const std::string name : {"web01", "web02", "web03"}) EXPECT_TRUE(contains(done.out, name + ": 300000\n"));
}

TEST_F(Options, StandardInputIsNotReadUnlessAsked) {
  const auto done = muster({"run", "all", "--", "wc -c"}, "something");
  EXPECT_TRUE(contains(done.out, "web01: 0\n")) << told(done);
}

TEST_F(Options, StandardInputMayEndWhereNobodyReads) {
  const auto done = muster({"run", "all", "--stdin", "--", "true"}, std::string(8U << 20U, 'x'));
  EXPECT_EQ(done.code, 0) << told(done);
}

TEST_F(Options, ScriptRunsWithArgumentsAndItsOwnInterpreter) {
  write(file("script"), "#!/bin/bash\n[[ x == x ]] && echo \"$BASH_VERSION\" | wc -l; printf '<%s>' \"$@\"; echo\n",
        0755);
  const auto done = muster({"run", "web01", "--script", file("script"), "one", "two words", "it's", "$HOME"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(done.out, "web01: 1\nweb01: <one><two words><it's><$HOME>\n");
}

TEST_F(Options, ScriptWithoutAFirstLineRunsInTheShellAndHandsOnItsStatus) {
  write(file("script"), "echo plain\nexit 9\n");
  const auto done = muster({"run", "web01", "--json", "--script", file("script")});
  const auto result = result_of(json_lines(done.out), "web01");
  EXPECT_EQ(result.value("stdout", ""), "plain\n") << told(done);
  EXPECT_EQ(result.value("rc", -1), 9);
}

TEST_F(Options, ScriptLeavesNothingOnTheHost) {
  write(file("script"), "#!/bin/sh\necho \"$0\"\n");
  const auto done = muster({"run", "web01", "--no-prefix", "--script", file("script")});
  ASSERT_EQ(done.code, 0) << told(done);
  const std::string path = done.out.substr(0, done.out.find('\n'));
  EXPECT_TRUE(path.empty() || path[0] != '/' || path.starts_with("/bin/") || path.starts_with("/dev/") ||
              !std::filesystem::exists(path))
      << path;
}

TEST_F(Options, MissingScriptIsTwo) {
  const auto done = muster({"run", "all", "--script", file("none")});
  EXPECT_EQ(done.code, 2);
  EXPECT_EQ(sessions(), 0U);
}

TEST_F(Options, SerialFinishesABatchBeforeTheNext) {
  use_hosts(6);
  const auto done = muster({"run", "all", "--serial", "2", "--", note("in") + "; sleep 0.3; " + note("out")});
  EXPECT_EQ(done.code, 0) << told(done);
  int inside = 0, most = 0;
  std::istringstream words(noted());
  for (std::string word; words >> word;) most = std::max(most, inside += word == "in" ? 1 : -1);
  EXPECT_EQ(most, 2);
  EXPECT_EQ(noted(), "in\nin\nout\nout\nin\nin\nout\nout\nin\nin\nout\nout\n");
}

TEST_F(Options, FanoutIsTheMostAtOnce) {
  use_hosts(6);
  muster({"run", "all", "--fanout", "3", "--", note("in") + "; sleep 0.2; " + note("out")});
  int inside = 0, most = 0;
  std::istringstream words(noted());
  for (std::string word; words >> word;) most = std::max(most, inside += word == "in" ? 1 : -1);
  EXPECT_LE(most, 3);
  EXPECT_GE(most, 2);
}

TEST_F(Options, MaxFailStopsStartingAndSkipsTheRest) {
  use_hosts(6);
  const auto done = muster({"run", "all", "--json", "--fanout", "1", "--max-fail", "1", "--", "exit 1"});
  EXPECT_EQ(sessions(), 2U) << told(done);
  EXPECT_NE(done.code, 0);
  const auto lines = json_lines(done.out);
  EXPECT_EQ(result_of(lines, "web02").value("state", ""), "failed");
  EXPECT_EQ(result_of(lines, "web06").value("state", ""), "skipped");
}

TEST_F(Options, RetriesReachAHostThatWasSlowToAnswer) {
  const BadPeer peer({.behaviour = Misbehaviour::says_nothing, .first = 1, .then = server_.endpoint()});
  use({host(peer.endpoint(), "web01").set("host_key", server_.host_key())});
  const auto done = muster({"run", "all", "--retries", "2", "--connect-timeout", "1s", "--", "echo", "hello"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(peer.connections(), 2);
}

TEST_F(Options, RetriesNeverRunACommandTwice) {
  use_hosts(1);
  const auto done = muster({"run", "all", "--retries", "2", "--", note("x") + "; exit 1"});
  EXPECT_EQ(done.code, 1) << told(done);
  EXPECT_EQ(noted(), "x\n");
}

TEST_F(Options, FailedHostsAreSavedAndCanBeRunAgain) {
  const SshServer refusing(SshServer::Options{});
  use({host(server_, "web01"), host(refusing, "web02"), host(refusing, "web03")});
  EXPECT_EQ(muster({"run", "all", "--save-failed", file("failed"), "--", "true"}).code, 3);
  EXPECT_EQ(read(file("failed")), "web02\nweb03\n");
  const auto again = muster({"run", "all", "-l", "@" + file("failed"), "--json", "--", "true"});
  EXPECT_EQ(again.code, 15) << told(again);
  const auto lines = json_lines(again.out);
  EXPECT_EQ(result_of(lines, "web02").value("state", ""), "unreachable");
  for (const auto& line : lines) EXPECT_NE(line.value("host", ""), "web01");
}

TEST_F(Options, FailedHostsThatCannotBeSavedAreSaidBeforeAnythingRuns) {
  const auto before = sessions();
  const auto done = muster({"run", "all", "--save-failed", file("no/such"), "--", "true"});
  EXPECT_EQ(done.code, 2) << told(done);
  EXPECT_TRUE(contains(done.err, file("no/such"))) << told(done);
  EXPECT_EQ(sessions(), before);
}

TEST_F(Options, ExpectRefusesAnotherNumber) {
  EXPECT_EQ(muster({"run", "all", "--expect", "3", "--", "true"}).code, 0);
  const auto before = sessions();
  const auto done = muster({"run", "all", "--expect", "4", "--", "true"});
  EXPECT_EQ(done.code, 5) << told(done);
  EXPECT_TRUE(contains(done.err, "4") && contains(done.err, "3"));
  EXPECT_EQ(sessions(), before);
}

TEST_F(Options, DryRunNamesTheHostsAndStartsNothing) {
  const auto done = muster({"run", "all:!web02", "--dry-run", "--", note("x")});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out + done.err, "web01") || contains(done.out + done.err, "web[01,03]")) << told(done);
  EXPECT_EQ(sessions(), 0U);
  EXPECT_EQ(noted(), "");
}

TEST_F(Options, QuietSaysNothingOnSuccess) {
  const auto done = muster({"run", "all", "-q", "--", "true"});
  EXPECT_EQ(done.out + done.err, "");
}

TEST_F(Options, OptionsMayStandBeforeTheCommand) {
  const auto done = muster({"--json", "-l", "web01", "run", "all", "--", "echo", "x"});
  EXPECT_EQ(result_of(json_lines(done.out), "web01").value("stdout", ""), "x\n") << told(done);
}

TEST_F(Options, HelpAndVersionNeedNoInventory) {
  for (const auto& words : std::vector<std::vector<std::string>>{{"--version"}, {"run", "--help"}, {"--help"}}) {
    Launch launch = command({});
    launch.argv = {program("muster")};
    launch.argv.insert(launch.argv.end(), words.begin(), words.end());
    const auto done = run(launch);
    EXPECT_EQ(done.code, 0) << told(done);
    EXPECT_TRUE(contains(done.out, "muster")) << told(done);
  }
}

TEST_F(Options, RunAndSshLoadNoLibraryOfOtherJobs) {
  for (const std::string name : {"muster", "muster-run", "muster-ping", "muster-ssh", "muster-inventory"}) {
    ASSERT_TRUE(std::filesystem::exists(program(name))) << name;
    const auto loaded = run({.argv = {"ldd", program(name)}});
    ASSERT_EQ(loaded.code, 0) << told(loaded);
    for (const std::string library : {"libvirt", "libguestfs", "libnbd", "libcurl"})
      EXPECT_FALSE(contains(loaded.out, library)) << name << " loads " << library;
  }
}

TEST_F(Options, RunningProcessHasNoLibraryOfOtherJobsMapped) {
  use_hosts(1);
  MusterProcess process(
      command({"run", "all", "--", "echo started; while ! test -e " + file("gate") + "; do sleep 0.05; done"}));
  ASSERT_TRUE(process.wait_for("started"));
  const auto maps = run({.argv = {"cat", "/proc/" + std::to_string(process.pid()) + "/maps"}});
  write(file("gate"), "");
  EXPECT_EQ(process.finish().code, 0);
  EXPECT_TRUE(contains(maps.out, "libssh")) << "these are the maps of another program";
  for (const std::string library : {"libvirt", "libguestfs", "libnbd", "libcurl"})
    EXPECT_FALSE(contains(maps.out, library));
}

}  // namespace
}  // namespace muster::e2e
