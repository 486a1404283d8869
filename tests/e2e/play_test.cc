// muster play on real SSH servers: tasks in their order, those that are not needed left out, failures told by host and
// task.
#include <filesystem>

#include <signal.h>

#include "tests/e2e/end_to_end.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

using nlohmann::json;

class Play : public EndToEnd {
 protected:
  Play() { use({host(server_, "web01"), host(server_, "web02"), host(server_, "db01")}); }
  // A playbook of these lines below `hosts: web*`; its path.
  std::string playbook(const std::string& tasks) const {
    write(file("play.yaml"), "hosts: web*\ntasks:\n" + tasks);
    return file("play.yaml");
  }
  Finished play(const std::string& tasks, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"play", playbook(tasks)});
    return muster(more);
  }
  SshServer server_{accepting_key()};
};

TEST_F(Play, TasksAreDoneOnceAndNotAgain) {
  const std::string made = file("made");
  const std::string tasks = "  - {name: first, run: 'echo x >>" + made + "; exit 3', ok: [3], creates: " + made +
                            "}\n  - {name: second, run: 'test -e " + made + "'}\n";
  const auto first = play(tasks, {"-l", "web01"});
  EXPECT_EQ(first.code, 0) << told(first);
  EXPECT_TRUE(contains(first.out, "web01: first: done in ") && contains(first.out, "web01: second: done in "))
      << told(first);
  EXPECT_TRUE(contains(first.err, "1 host: 1 ok")) << told(first);
  // Over there it is there by now.
  const auto again = play(tasks);
  EXPECT_EQ(again.code, 0) << told(again);
  EXPECT_TRUE(contains(again.out, "web02: first: not needed, " + made + " is there\n")) << told(again);
  EXPECT_FALSE(contains(again.out, "db01")) << told(again);
  EXPECT_EQ(read(made), "x\n");
}

TEST_F(Play, AHostStopsAtItsFirstFailure) {
  const auto failed = play(
      "  - {name: mine, run: 'echo no such luck; exit 7'}\n  - {name: next, run: 'echo x >>" + file("next") + "'}\n",
      {"--save-failed", file("failed")});
  EXPECT_EQ(failed.code, 1) << told(failed);
  EXPECT_TRUE(contains(failed.err, "web01: failed: task 1 'mine': it ended with 7: no such luck")) << told(failed);
  EXPECT_TRUE(contains(failed.out, "web02: mine: failed in ")) << told(failed);
  EXPECT_FALSE(std::filesystem::exists(file("next")));
  EXPECT_EQ(read(file("failed")), "web01\nweb02\n");
}

TEST_F(Play, WhatIsToldToProgramsIsWhole) {
  const auto done = play(
      "  - {name: a, run: 'printf \"\\377\"'}\n  - {name: b, run: 'echo hi', unless: 'true'}\n"
      "  - {name: c, run: 'echo bye; exit 2', may_fail: true}\n",
      {"-l", "web01", "--json"});
  EXPECT_EQ(done.code, 0) << told(done);
  const auto lines = json_lines(done.out);
  ASSERT_EQ(lines.size(), 5U) << told(done);
  EXPECT_EQ(lines[0].value("type", ""), "progress");
  EXPECT_EQ(lines[0].value("output_b64", ""), "/w==") << lines[0];
  EXPECT_EQ(lines[1].value("outcome", ""), "not needed");
  EXPECT_FALSE(lines[1].contains("rc"));
  EXPECT_EQ(lines[2].value("output", ""), "bye\n");
  EXPECT_EQ(lines[2].value("rc", 0), 2);
  EXPECT_EQ(lines[3].value("type", ""), "result");
  EXPECT_EQ(lines[3].value("state", ""), "ok");
  EXPECT_EQ(lines[3].value("tasks_done", 0), 1);
  EXPECT_EQ(lines[3].value("tasks_not_needed", 0), 1);
  EXPECT_EQ(lines[3].value("tasks_failed", 0), 1);
  EXPECT_EQ(lines[4].value("ok", 0), 1);
}

TEST_F(Play, WhereItCannotBeAskedNothingIsSkipped) {
  // Nobody of that name.
  const auto done =
      play("  - {name: a, run: 'true', sudo: nobody-of-that-name, removes: /etc/passwd}\n", {"-l", "web01"});
  EXPECT_EQ(done.code, 1) << told(done);
  EXPECT_TRUE(contains(done.err, "task 1 'a': whether it is needed could not be asked (removes)")) << told(done);
}

TEST_F(Play, QuestionsAreShellOfTheirOwn) {
  const auto done = play(
      "  - {name: a, run: 'true', unless: 'case x in x) true;; esac # so it is'}\n"
      "  - {name: b, run: 'true', onlyif: \"test 'a b' = 'a b'\"}\n"
      "  - {name: c, run: 'true', onlyif: 'exit 3'}\n",
      {"-l", "web01"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "web01: a: not needed, unless says so") && contains(done.out, "web01: b: done") &&
              contains(done.out, "web01: c: not needed, onlyif says so"))
      << told(done);
}

TEST_F(Play, TheFirstInterruptLetsNoTaskStart) {
  const std::string tasks = "  - {name: a, run: 'echo x >>" + file("begun") + "; sleep 1; echo x >>" + file("ended") +
                            "'}\n  - {name: b, run: 'echo x >>" + file("next") + "'}\n";
  MusterProcess process(command({"play", playbook(tasks), "-l", "web01"}));
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(file("begun")); }));
  process.signal(SIGINT);
  const auto done = process.finish();
  EXPECT_EQ(done.code, 130) << told(done);
  EXPECT_TRUE(std::filesystem::exists(file("ended")));
  EXPECT_FALSE(std::filesystem::exists(file("next")));
  EXPECT_TRUE(contains(done.err, "stopped before task 2 'b'")) << told(done);
}

TEST_F(Play, ScriptsGoAlongWithTheirWords) {
  write(file("say.sh"), "#!/bin/sh\necho \"$# $2\"\n");
  const auto done = play("  - {script: say.sh, args: [one, \"it's two\"]}\n", {"-l", "web01", "-v"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "web01: 2 it's two\n")) << told(done);
}

TEST_F(Play, APlanConnectsToNobody) {
  use({Host{"web01"}.set("address", "192.0.2.1")});
  const auto done = play("  - {name: a, run: 'true', sudo: true}\n", {"--dry-run"});
  EXPECT_EQ(done.out, "web01: would do a as root\n") << told(done);
  EXPECT_EQ(done.code, 0);
}

TEST_F(Play, AMistakeIsToldBeforeAnythingIsDone) {
  const auto done = play("  - run: echo x >>" + file("ran") + "\n  - rum: true\n");
  EXPECT_EQ(done.code, 2) << told(done);
  EXPECT_TRUE(contains(done.err, "play.yaml:4:5: unknown key 'rum'; did you mean 'run'?")) << told(done);
  EXPECT_FALSE(std::filesystem::exists(file("ran")));
  write(file("nowhere.yaml"), "tasks: [{run: 'true'}]\n");
  EXPECT_TRUE(contains(muster({"play", file("nowhere.yaml")}).err, "write 'hosts: PATTERN'"));
  EXPECT_EQ(muster({"play"}).code, 2);
}

TEST_F(Play, ATaskThatTakesTooLongEndsItsHost) {
  const auto done = play("  - {name: slow, run: sleep 60, timeout: 0.5s, may_fail: true}\n", {"-l", "web01"});
  EXPECT_EQ(done.code, 1) << told(done);
  EXPECT_TRUE(contains(done.err, "web01: timeout: task 1 'slow'")) << told(done);
  EXPECT_LT(done.took, std::chrono::seconds(30));
  const auto usual = play("  - {name: slow, run: sleep 60}\n", {"-l", "web01", "--timeout", "0.5s"});
  EXPECT_TRUE(contains(usual.err, "web01: timeout: task 1 'slow'")) << told(usual);
}

}  // namespace
}  // namespace muster::e2e
