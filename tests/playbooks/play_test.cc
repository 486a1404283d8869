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
  std::optional<Code> breaks_off;

  Execute execute() {
    return [this](const ssh::RunRequest& request) -> Answer {
      if (breaks_off) throw Error(*breaks_off, "gone");
      requests.push_back(request);
      asked.push_back(request.command.command);
      const auto found = statuses.find(request.command.command);
      return {.status = found == statuses.end() ? 0 : found->second, .output = "said\n"};
    };
  }
};

class Playing : public testing::Test {
 protected:
  Counts play(std::vector<Task> tasks) {
    const Play play({.path = "p.yaml", .name = {}, .hosts = {}, .tasks = std::move(tasks)}, "/tmp", "secret");
    return play.run(ctx_, host_.execute(), [this](const TaskResult& result) { results_.push_back(result); });
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
  EXPECT_EQ(results_[1].output, "said\n");
}

TEST_F(Playing, TheFirstThatFailsIsTheLast) {
  host_.statuses = {{"two", 3}};
  try {
    play({task("one"), task("two"), task("three")});
    FAIL() << "it went on";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::io);
    EXPECT_STREQ(e.what(), "task 2 'two' ended with 3: said");
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
  host_.statuses = {{"test -e '/gone'", 1}, {"is-other", 2}};
  const Counts counts = play({made, gone, unless, only});
  EXPECT_EQ(counts.not_needed, 4U);
  EXPECT_EQ(host_.asked, (Words{"test -e '/a file'", "test -e '/gone'", "is-so", "is-other"}));
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
  host_.statuses = {{"test -e '/new'", 1}, {"is-so", 1}};
  EXPECT_EQ(play({all}).done, 1U);
  EXPECT_EQ(host_.asked, (Words{"test -e '/new'", "test -e '/old'", "is-so", "is-other", "all"}));
}

TEST_F(Playing, QuotesInPathsStayInside) {
  Task made = task("made");
  made.creates = "/it's; reboot";
  play({made});
  EXPECT_EQ(host_.asked.front(), "test -e " + ssh::in_quotes("/it's; reboot"));
}

TEST_F(Playing, SudoAndTimesGoAlong) {
  Task one = task("one");
  one.sudo_user = "web";
  one.creates = "/x";
  one.timeout = std::chrono::seconds(9);
  host_.statuses = {{"test -e '/x'", 1}};
  play({one, task("two")});
  ASSERT_EQ(host_.requests.size(), 3U);
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
  }
}

TEST_F(Playing, AStopIsHeardBetweenTwoTasks) {
  const Play play({.path = "p.yaml", .name = {}, .hosts = {}, .tasks = {task("one"), task("two")}}, "/tmp", {});
  EXPECT_THROW(play.run(ctx_, host_.execute(), [this](const TaskResult&) { stop_.request_stop(); }), Error);
  EXPECT_EQ(host_.asked, Words{"one"});
}

}  // namespace
}  // namespace muster::playbooks
