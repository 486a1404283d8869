#include "playbooks/playbook.h"

#include <string_view>

#include "base/error.h"
#include "base/quantity.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "inventory/schema_document.h"
#include "yaml/scalar.h"

namespace muster::playbooks {
namespace {

using base::Code;
using base::Error;
using yaml::Node;

const std::vector<std::string_view> kTopKeys = {"name", "hosts", "sudo", "tasks"};
const std::vector<std::string_view> kTaskKeys = {"name",    "run",    "script", "args", "sudo",     "creates",
                                                 "removes", "unless", "onlyif", "ok",   "may_fail", "timeout"};
// Of a name that nobody gave.
constexpr std::size_t kMaxNameBytes = 60;

std::string first_line_of(const std::string& text) {
  const std::string line = text.substr(0, text.find('\n'));
  return line.size() > kMaxNameBytes ? std::string(base::whole_characters(line, kMaxNameBytes)) + "..." : line;
}

// What YAML 1.1 took for truths.
bool is_other_truth(const std::string& word) {
  const std::string lower = base::lower_case(word);
  return lower == "yes" || lower == "no" || lower == "on" || lower == "off";
}

class Reader {
 public:
  explicit Reader(const std::string& path) : document_(path) {}

  Playbook read() {
    const Node& root = document_.root();
    if (!root.is_mapping())
      document_.fail(root, "this is no mapping; write 'tasks:', and below it each task behind a dash");
    Playbook playbook{.path = document_.file(), .name = {}, .hosts = {}, .tasks = {}};
    for (const auto& [key, value] : root.entries) {
      document_.check_key(key, kTopKeys);
      if (key.text == "name") playbook.name = text(key, value);
      if (key.text == "hosts") playbook.hosts = text(key, value);
      if (key.text == "sudo") take_sudo(key, value, usual_);
    }
    const Node* tasks = root.find("tasks");
    if (tasks == nullptr || !tasks->is_sequence() || tasks->items.empty())
      document_.fail(tasks == nullptr ? root : *tasks,
                     "there are no tasks; write 'tasks:', and below it each behind a dash");
    if (tasks->items.size() > kMaxTasks) document_.fail(*tasks, "more than 1000 tasks; split the file");
    std::size_t script_bytes = 0;
    for (const auto& item : tasks->items) {
      playbook.tasks.push_back(task(item));
      const auto& read = playbook.tasks.back().script;
      script_bytes += read ? read->bytes.size() : 0;
      if (script_bytes > kMaxScriptsBytes)
        document_.fail(item, "the scripts so far have more than 64 MiB; split the playbook");
    }
    return playbook;
  }

 private:
  std::string text(const Node& key, const Node& value) const {
    if (!value.is_scalar()) document_.fail(value, "'" + key.text + "' is no text; write one after the colon");
    if (value.is_null() || value.text.empty())
      document_.fail(value, "'" + key.text + "' has no value; write a text after the colon");
    if (value.text.find('\0') != std::string::npos) document_.fail(value, "'" + key.text + "' has a zero byte");
    return value.text;
  }

  // true: root; false: whoever logs in; any other word: that user.
  void take_sudo(const Node& key, const Node& value, Task& made) const {
    const std::string word = text(key, value);
    const auto resolved = yaml::resolve(value, yaml::Schema::core_1_2);
    const auto* flag = std::get_if<bool>(&resolved);
    if (flag == nullptr && is_other_truth(word))
      document_.fail(value, "'" + word + "' is neither true nor false, and hardly a user; write one of them");
    made.as = flag != nullptr && !*flag ? Task::As::login : Task::As::user;
    made.user = flag == nullptr ? word : *flag ? "root" : "";
  }

  Script script(const Node& key, const Node& value) const {
    Script read{.path = document_.path(text(key, value)), .bytes = {}, .arguments = {}};
    document_.at(value, [&] { read.bytes = base::read_file(read.path, kMaxScriptBytes); });
    if (read.bytes.empty()) document_.fail(value, "script " + read.path + " is empty");
    return read;
  }

  std::vector<std::string> words(const Node& key, const Node& value) const {
    if (!value.is_sequence()) document_.fail(value, "'" + key.text + "' is no list; write [WORD, WORD]");
    std::vector<std::string> all;
    for (const auto& item : value.items) {
      if (!item.is_scalar()) document_.fail(item, "a word of '" + key.text + "' is no text");
      all.push_back(item.text);
    }
    return all;
  }

  std::set<int> statuses(const Node& key, const Node& value) const {
    std::set<int> all;
    for (const auto& word : value.is_scalar() ? std::vector<std::string>{text(key, value)} : words(key, value))
      document_.at(value, [&] { all.insert(static_cast<int>(base::parse_integer(word, 0, 255, "an exit status"))); });
    if (all.empty()) document_.fail(value, "'ok' names no exit status; write [0, 2]");
    return all;
  }

  Task task(const Node& node) const {
    if (!node.is_mapping()) document_.fail(node, "this task is no mapping; write 'run: COMMAND' or 'script: FILE'");
    Task made = usual_;
    for (const auto& [key, value] : node.entries) {
      document_.check_key(key, kTaskKeys);
      take(key, value, made);
    }
    if (made.command.empty() == !made.script)
      document_.fail(node, made.script ? "a task is either 'run' or 'script'; make two of them"
                                       : "this task does nothing; write 'run: COMMAND' or 'script: FILE'");
    for (const auto& [key, value] : node.entries) {
      if (key.text != "args") continue;
      if (!made.script) document_.fail(key, "'args' are a script's; write them into the command");
      made.script->arguments = words(key, value);
    }
    if (made.name.empty()) made.name = first_line_of(made.script ? made.script->path : made.command);
    made.name = made.name.substr(0, made.name.find('\n'));
    return made;
  }

  void take(const Node& key, const Node& value, Task& made) const {
    if (key.text == "name") made.name = text(key, value);
    if (key.text == "run") made.command = text(key, value);
    if (key.text == "script") made.script = script(key, value);
    if (key.text == "sudo") take_sudo(key, value, made);
    if (key.text == "creates") made.creates = text(key, value);
    if (key.text == "removes") made.removes = text(key, value);
    if (key.text == "unless") made.unless = text(key, value);
    if (key.text == "onlyif") made.only_if = text(key, value);
    if (key.text == "ok") made.fine = statuses(key, value);
    if (key.text == "may_fail") made.may_fail = document_.truth(key, value);
    if (key.text == "timeout") document_.at(value, [&] { made.timeout = base::parse_duration(text(key, value)); });
  }

  const inventory::SchemaDocument document_;
  Task usual_;  // what all tasks are that do not say otherwise
};

}  // namespace

Playbook read_playbook(const std::string& path) { return Reader(path).read(); }

}  // namespace muster::playbooks
