// Playbooks as they are read: what they mean, and how mistakes in them are told.
#include "playbooks/playbook.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/inventory/support.h"

namespace muster::playbooks {
namespace {

using Words = std::vector<std::string>;

class PlaybookFile : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    files_.add(name, text);
    return files_.path(name);
  }
  Playbook read(const std::string& text) const { return read_playbook(write("play.yaml", text)); }
  // What is said of it, behind the file's name.
  std::string complaint(const std::string& text) const {
    try {
      read(text);
    } catch (const base::Error& e) {
      EXPECT_EQ(e.code(), base::Code::usage);
      const std::string all = e.what(), lead = files_.path("play.yaml") + ":";
      EXPECT_TRUE(all.starts_with(lead)) << all;
      return all.substr(std::min(lead.size(), all.size()));
    }
    ADD_FAILURE() << "taken: " << text;
    return "";
  }

  inventory::FileTree files_;
};

TEST_F(PlaybookFile, TasksAreReadInTheirOrder) {
  const auto playbook = read(
      "name: web servers\nhosts: web:!web03\ntasks:\n"
      "  - run: apt-get update\n"
      "  - {name: nginx, run: apt-get install -y nginx, creates: /usr/sbin/nginx, timeout: 5m, ok: [0, 100]}\n"
      "  - {run: echo, removes: /tmp/x, unless: 'false', onlyif: 'true', may_fail: true, ok: 7}\n");
  EXPECT_EQ(playbook.name, "web servers");
  EXPECT_EQ(playbook.hosts, "web:!web03");
  ASSERT_EQ(playbook.tasks.size(), 3U);
  EXPECT_EQ(playbook.tasks[0].name, "apt-get update");
  EXPECT_EQ(playbook.tasks[0].command, "apt-get update");
  EXPECT_EQ(playbook.tasks[0].fine, std::set<int>{0});
  const Task& second = playbook.tasks[1];
  EXPECT_EQ(second.name, "nginx");
  EXPECT_EQ(second.creates, "/usr/sbin/nginx");
  EXPECT_EQ(second.timeout, std::chrono::minutes(5));
  EXPECT_EQ(second.fine, (std::set<int>{0, 100}));
  const Task& third = playbook.tasks[2];
  EXPECT_EQ(third.removes, "/tmp/x");
  EXPECT_EQ(third.unless, "false");
  EXPECT_EQ(third.only_if, "true");
  EXPECT_EQ(third.fine, std::set<int>{7});
}

TEST_F(PlaybookFile, ScriptsLieBesideIt) {
  write("setup.sh", "#!/bin/bash\necho $1\n");
  const auto playbook = read("tasks:\n  - {script: setup.sh, args: [one, 'two words']}\n");
  ASSERT_TRUE(playbook.tasks[0].script.has_value());
  EXPECT_EQ(playbook.tasks[0].script->bytes, "#!/bin/bash\necho $1\n");
  EXPECT_EQ(playbook.tasks[0].script->arguments, (Words{"one", "two words"}));
  EXPECT_EQ(playbook.tasks[0].script->path, files_.path("setup.sh"));
}

TEST_F(PlaybookFile, SudoIsOfAllTasksThatDoNotSay) {
  const auto playbook =
      read("sudo: true\ntasks:\n  - run: one\n  - {run: two, sudo: web}\n  - {run: three, sudo: false}\n");
  EXPECT_EQ(playbook.tasks[0].as, Task::As::user);
  EXPECT_EQ(playbook.tasks[0].user, "root");
  EXPECT_EQ(playbook.tasks[1].user, "web");
  EXPECT_EQ(playbook.tasks[2].as, Task::As::login);
  EXPECT_EQ(read("tasks: [{run: one}]").tasks[0].as, Task::As::inventory_says);
}

TEST_F(PlaybookFile, NamesAreOfOneLineAndWholeCharacters) {
  EXPECT_EQ(read("tasks: [{name: \"one\\ntwo\", run: a}]").tasks[0].name, "one");
  std::string umlauts;
  for (int i = 0; i < 40; ++i) umlauts += "\xc3\xa4";
  EXPECT_EQ(read("tasks: [{run: x" + umlauts + "}]").tasks[0].name, "x" + umlauts.substr(0, 58) + "...");
}

TEST_F(PlaybookFile, MistakesAreToldByTheirPlace) {
  EXPECT_EQ(complaint("tasks:\n  - run: a\n    creats: /x\n"), "3:5: unknown key 'creats'; did you mean 'creates'?");
  EXPECT_TRUE(complaint("tasks:\n  - run: a\n    when: b\n").starts_with("3:5: unknown key 'when'; write "));
  EXPECT_TRUE(complaint("task: []\n").starts_with("1:1: unknown key 'task'; did you mean 'tasks'?"));
  EXPECT_TRUE(complaint("- run: a\n").starts_with("1:1: this is no mapping"));
  EXPECT_TRUE(complaint("hosts: all\n").starts_with("1:1: there are no tasks"));
  EXPECT_TRUE(complaint("tasks: []\n").starts_with("1:8: there are no tasks"));
  EXPECT_TRUE(complaint("tasks:\n  - echo\n").starts_with("2:5: this task is no mapping"));
  EXPECT_TRUE(complaint("tasks:\n  - name: a\n").starts_with("2:5: this task does nothing"));
  EXPECT_TRUE(complaint("tasks:\n  - run:\n").starts_with("2:"));
  EXPECT_TRUE(complaint("tasks:\n  - {run: a, args: [b]}\n").starts_with("2:14: 'args' are a script's"));
  EXPECT_TRUE(complaint("tasks:\n  - {run: a, timeout: soon}\n").starts_with("2:23: "));
  EXPECT_TRUE(complaint("tasks:\n  - {run: a, ok: [256]}\n").starts_with("2:18: "));
  EXPECT_TRUE(complaint("tasks:\n  - {run: a, ok: []}\n").starts_with("2:18: 'ok' names no exit status"));
  EXPECT_TRUE(complaint("tasks:\n  - {run: a, may_fail: perhaps}\n").starts_with("2:24: "));
  EXPECT_TRUE(complaint("tasks:\n  - {run: a, run: b}\n").starts_with("2:"));
  EXPECT_TRUE(complaint("tasks:\n  - {run: a, sudo: Yes}\n").starts_with("2:20: 'Yes' is neither true nor false"));
  EXPECT_TRUE(complaint("hosts: [web, db]\n").starts_with("1:8: 'hosts' is no text"));
  EXPECT_TRUE(complaint("tasks:\n  - script: none.sh\n").starts_with("2:13: "));
  write("empty.sh", "");
  EXPECT_TRUE(complaint("tasks:\n  - script: empty.sh\n").starts_with("2:13: script "));
  write("setup.sh", "true\n");
  EXPECT_TRUE(complaint("tasks:\n  - {run: a, script: setup.sh}\n").starts_with("2:5: a task is either"));
  std::string many = "tasks:\n";
  for (std::size_t i = 0; i <= kMaxTasks; ++i) many += "  - run: a\n";
  EXPECT_TRUE(complaint(many).starts_with("2:3: more than 1000 tasks"));
}

TEST_F(PlaybookFile, OneThatIsNotThereIsSaidToBe) {
  EXPECT_THROW(read_playbook(files_.path("none.yaml")), base::Error);
}

}  // namespace
}  // namespace muster::playbooks
