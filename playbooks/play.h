// A playbook done on one host: task after task, until one fails. Over whatever connection, which the caller has.
// Thread-safe: many hosts at once share one.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "parallel-ssh/host_runner.h"
#include "parallel-ssh/input_source.h"
#include "playbooks/playbook.h"

namespace muster::playbooks {

enum class Outcome {
  done,
  not_needed,
  failed,
  allowed_failure,  // it may fail, and did
};
// `done`, `not needed`, ...
const char* name_of(Outcome outcome);

struct TaskResult {
  std::size_t task = 0;  // its number in the playbook
  Outcome outcome = Outcome::done;
  std::string why = {};            // it was not needed, or did not come to an exit status
  std::optional<int> status = {};  // its exit status, where it has one
  std::string output = {};         // both streams, as much as was kept
  std::chrono::milliseconds took{0};
};

// What came of a request on the host: an exit status, or why there is none.
struct Answer {
  std::optional<int> status;
  std::string output;
  std::optional<base::Error> error;
};
// Throws nothing.
using Execute = std::function<Answer(const ssh::RunRequest& request)>;
using Observe = std::function<void(const TaskResult& result)>;

// How often tasks came to which end.
struct Counts {
  std::size_t done = 0, not_needed = 0, failed = 0;
  void add(Outcome outcome);
};

class Play {
 public:
  // `directory`: for what scripts need while they are sent. `sudo_password`: for tasks through sudo, where it asks.
  // Throws base::Error{io, no_space}.
  Play(Playbook playbook, const std::string& directory, const std::optional<std::string>& sudo_password);

  // Without the scripts' bytes.
  const Playbook& playbook() const { return playbook_; }

  // `observe` hears of each task as it ends, also of the one that failed. Throws base::Error{io} for that, naming the
  // task and its last words; or why there is no exit status, naming the task; {cancelled} before a task.
  void run(const base::Context& ctx, const Execute& execute, const Observe& observe) const;

 private:
  // What asks whether a task is needed.
  struct Guard {
    ssh::RunRequest request;
    bool needed_if_so = false;
    std::string key;  // `creates`
    std::string why;  // it is not needed
  };
  struct Step {
    std::vector<Guard> guards;
    ssh::RunRequest request;
  };
  Step step_of(Task& task, const std::string& directory, const std::optional<std::string>& sudo_password);
  TaskResult run_task(std::size_t number, const Execute& execute, std::optional<base::Error>& error) const;

  Playbook playbook_;
  std::deque<ssh::InputSource> scripts_;
  std::vector<Step> steps_;
};

}  // namespace muster::playbooks
