// A playbook on one host, behind a connection that is made up here: which requests come in which order, and what is
// made of the answers.
#include "playbooks/play.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::playbooks {
namespace {

using base::Code;
using base::Error;
using Words = std::vector<std::string>;

Task task(const std::string& command) {
  Task made;
  made.name = made.command = command;
  return made;
}

// Answers by command; whatever is not told ends with 0.
class MadeUpHost {
 public:
  std::map<std::string, int> statuses;
  Words asked;
  std::vector<ssh::RunRequest> requests;
  std::optional<Code> breaks_off;  // in the middle of what it says

  static std::string question(const std::string& command) {
    return "sh -c " + ssh::in_quotes("if ( " + command + "\n) then exit 0; else exit 10; fi");
  }

  Execute execute() {
    return [this](const ssh::RunRequest& request) -> Answer {
      if (breaks_off) return {.status = {}, .output = "so far", .error = Error(*breaks_off, "gone")};
      requests.push_back(request);
      asked.push_back(request.command.command);
      const auto found = statuses.find(request.command.command);
      return {.status = found == statuses.end() ? 0 : found->second, .output = "first\nsaid\n\n", .error = {}};
    };
  }
};

class Playing : public testing::Test {
 protected:
  Counts play(std::vector<Task> tasks) {
    const Play play({.path = "p.yaml", .name = {}, .hosts = {}, .tasks = std::move(tasks)}, "/tmp", "secret");
    Counts counts;
    play.run(ctx_, host_.execute(), [&](const TaskResult& result) {
      results_.push_back(result);
      counts.add(result.outcome);
    });
    return counts;
  }

  std::stop_source stop_;
  base::Context ctx_{.stop = stop_.get_token()};
  MadeUpHost host_;
  std::vector<TaskResult> results_;
};

TEST_F(Playing, TasksFollowEachOther) {
  const Counts counts = play({task("one"), task("two")});
  EXPECT_EQ(host_.asked, (Words{"one", "two"}));
  EXPECT_EQ(counts.done, 2U);
  ASSERT_EQ(results_.size(), 2U);
  EXPECT_EQ(results_[1].task, 1U);
  EXPECT_EQ(results_[1].status, 0);
  EXPECT_EQ(results_[1].output, "first\nsaid\n\n");
}

TEST_F(Playing, TheFirstThatFailsIsTheLast) {
  host_.statuses = {{"two", 3}};
  try {
    play({task("one"), task("two"), task("three")});
    FAIL() << "it went on";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::io);
    EXPECT_STREQ(e.what(), "task 2 'two': it ended with 3: said");
  }
  EXPECT_EQ(host_.asked, (Words{"one", "two"}));
  EXPECT_EQ(results_.back().outcome, Outcome::failed);
}

TEST_F(Playing, OtherStatusesMayBeFineOrAllowed) {
  host_.statuses = {{"one", 100}, {"two", 1}};
  Task one = task("one"), two = task("two");
  one.fine = {0, 100};
  two.may_fail = true;
  const Counts counts = play({one, two, task("three")});
  EXPECT_EQ(counts.done, 2U);
  EXPECT_EQ(counts.failed, 1U);
  EXPECT_EQ(results_[1].outcome, Outcome::allowed_failure);
  EXPECT_EQ(host_.asked.back(), "three");
}

TEST_F(Playing, WhatIsNotNeededIsNotDone) {
  Task made = task("made"), gone = task("gone"), unless = task("unless"), only = task("only");
  made.creates = "/a file";
  gone.removes = "/gone";
  unless.unless = "is-so";
  only.only_if = "is-other";
  host_.statuses = {{host_.question("test -e '/gone'"), 10}, {host_.question("is-other"), 10}};
  const Counts counts = play({made, gone, unless, only});
  EXPECT_EQ(counts.not_needed, 4U);
  EXPECT_EQ(host_.asked, (Words{host_.question("test -e '/a file'"), host_.question("test -e '/gone'"),
                                host_.question("is-so"), host_.question("is-other")}));
  EXPECT_EQ(results_[0].why, "/a file is there");
  EXPECT_EQ(results_[1].why, "/gone is not there");
  EXPECT_FALSE(results_[0].status.has_value());
}

TEST_F(Playing, WhatIsNeededIsAskedForAndDone) {
  Task all = task("all");
  all.creates = "/new";
  all.removes = "/old";
  all.unless = "is-so";
  all.only_if = "is-other";
  host_.statuses = {{host_.question("test -e '/new'"), 10}, {host_.question("is-so"), 10}};
  EXPECT_EQ(play({all}).done, 1U);
  EXPECT_EQ(host_.asked, (Words{host_.question("test -e '/new'"), host_.question("test -e '/old'"),
                                host_.question("is-so"), host_.question("is-other"), "all"}));
}

TEST_F(Playing, QuotesInPathsStayInside) {
  Task made = task("made");
  made.creates = "/it's; reboot";
  play({made});
  EXPECT_EQ(host_.asked.front(), host_.question("test -e " + ssh::in_quotes("/it's; reboot")));
}

TEST_F(Playing, SudoAndTimesGoAlong) {
  Task one = task("one");
  one.as = Task::As::user;
  one.user = "web";
  one.creates = "/x";
  one.timeout = std::chrono::seconds(9);
  host_.statuses = {{host_.question("test -e '/x'"), 10}};
  Task three = task("three");
  three.as = Task::As::login;
  play({one, task("two"), three});
  ASSERT_EQ(host_.requests.size(), 4U);
  EXPECT_FALSE(host_.requests[2].as_login);
  EXPECT_TRUE(host_.requests[3].as_login);
  for (const int asked : {0, 1}) {
    EXPECT_EQ(host_.requests[static_cast<std::size_t>(asked)].sudo->user, "web");
    EXPECT_EQ(host_.requests[static_cast<std::size_t>(asked)].sudo_password, "secret");
  }
  EXPECT_EQ(host_.requests[1].clocks.total, std::chrono::seconds(9));
  EXPECT_FALSE(host_.requests[2].sudo.has_value());
  EXPECT_FALSE(host_.requests[2].clocks.total.has_value());
}

TEST_F(Playing, ScriptsAreSentWhole) {
  Task made;
  made.name = "setup";
  made.script = Script{.path = "setup.sh", .bytes = "#!/bin/bash\necho\n", .arguments = {"a b"}};
  play({made});
  const auto& request = host_.requests.front();
  ASSERT_TRUE(request.command.script.has_value());
  EXPECT_EQ(request.command.script->interpreter, "'/bin/bash'");
  EXPECT_EQ(request.command.script->size_bytes, made.script->bytes.size());
  EXPECT_EQ(request.command.script->arguments, Words{"a b"});
}

// As sudo that wants a password, or a login shell that lets nobody in.
TEST_F(Playing, WhoCannotAskDoesNotKnow) {
  for (const int status : {1, 2, 127}) {
    Task made = task("made");
    made.removes = "/old";
    host_.statuses = {{host_.question("test -e '/old'"), status}};
    try {
      play({made});
      FAIL() << "it went on";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::io);
      EXPECT_EQ(e.what(), "task 1 'made': whether it is needed could not be asked (removes): it ended with " +
                              std::to_string(status) + ": said");
    }
  }
}

TEST_F(Playing, AConnectionThatIsLostNamesTheTask) {
  Task allowed = task("one");
  allowed.may_fail = true;
  for (const auto code : {Code::unreachable, Code::timeout, Code::cancelled}) {
    host_.breaks_off = code;
    try {
      play({allowed});
      FAIL() << "it went on";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code);
      EXPECT_STREQ(e.what(), "task 1 'one': gone");
    }
    EXPECT_EQ(results_.back().outcome, Outcome::failed);
    EXPECT_EQ(results_.back().output, "so far");
  }
}

TEST_F(Playing, AStopIsHeardBetweenTwoTasks) {
  const Play play({.path = "p.yaml", .name = {}, .hosts = {}, .tasks = {task("one"), task("two")}}, "/tmp", {});
  try {
    play.run(ctx_, host_.execute(), [this](const TaskResult&) { stop_.request_stop(); });
    FAIL() << "it went on";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::cancelled);
    EXPECT_STREQ(e.what(), "stopped before task 2 'two'");
  }
  EXPECT_EQ(host_.asked, Words{"one"});
}

}  // namespace
}  // namespace muster::playbooks
