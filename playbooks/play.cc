#include "playbooks/play.h"

#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace muster::playbooks {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kLastWordsBytes = 300;
// For what asks whether a task is needed.
constexpr std::chrono::minutes kGuardPatience{5};

std::string last_words(const std::string& output) {
  std::string text = output.substr(output.size() - std::min(output.size(), kLastWordsBytes));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

ssh::RunRequest request_of(const Task& task, const std::optional<std::string>& sudo_password) {
  ssh::RunRequest request;
  if (task.sudo_user) request.sudo = ssh::Sudo{*task.sudo_user};
  // Also for hosts whose inventory says that others do what is done there.
  request.sudo_password = sudo_password;
  return request;
}

std::string in_words(const Playbook& playbook, std::size_t number) {
  return fmt::format("task {} '{}'", number + 1, playbook.tasks[number].name);
}

}  // namespace

const char* name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::done:
      return "done";
    case Outcome::not_needed:
      return "not needed";
    case Outcome::failed:
      return "failed";
    case Outcome::allowed_failure:
      return "failed, as it may";
  }
  return "";
}

Play::Play(Playbook playbook, const std::string& directory, const std::optional<std::string>& sudo_password)
    : playbook_(std::move(playbook)) {
  for (const auto& task : playbook_.tasks) steps_.push_back(step_of(task, directory, sudo_password));
}

Play::Step Play::step_of(const Task& task, const std::string& directory,
                         const std::optional<std::string>& sudo_password) {
  Step step{.guards = {}, .request = request_of(task, sudo_password)};
  const auto guard = [&](const std::string& command, bool needed_if_zero, std::string why) {
    Guard made{.request = request_of(task, sudo_password), .needed_if_zero = needed_if_zero, .why = std::move(why)};
    made.request.command.command = command;
    made.request.clocks.total = kGuardPatience;
    step.guards.push_back(std::move(made));
  };
  const auto is_there = [](const std::string& path) { return "test -e " + ssh::in_quotes(path); };
  if (task.creates) guard(is_there(*task.creates), false, *task.creates + " is there");
  if (task.removes) guard(is_there(*task.removes), true, *task.removes + " is not there");
  if (task.unless) guard(*task.unless, false, "unless says so");
  if (task.only_if) guard(*task.only_if, true, "onlyif says so");
  step.request.clocks.total = task.timeout;
  if (!task.script) {
    step.request.command.command = task.command;
    return step;
  }
  auto& source = scripts_.emplace_back(directory);
  source.append(task.script->bytes);
  source.close();
  step.request.command.script = ssh::Script{.interpreter = ssh::interpreter_of(task.script->bytes),
                                            .size_bytes = task.script->bytes.size(),
                                            .arguments = task.script->arguments};
  step.request.input = &source;
  return step;
}

TaskResult Play::run_task(std::size_t number, const Execute& execute) const {
  const Task& task = playbook_.tasks[number];
  const auto start = base::Clock::now();
  TaskResult result{.task = number, .outcome = Outcome::done, .why = {}, .status = {}, .output = {}, .took = {}};
  for (const auto& guard : steps_[number].guards)
    if ((execute(guard.request).status == 0) != guard.needed_if_zero) {
      result.outcome = Outcome::not_needed;
      result.why = guard.why;
      break;
    }
  if (result.outcome != Outcome::not_needed) {
    Answer answer = execute(steps_[number].request);
    result.status = answer.status;
    result.output = std::move(answer.output);
    if (!task.fine.contains(answer.status)) result.outcome = task.may_fail ? Outcome::allowed_failure : Outcome::failed;
  }
  result.took = std::chrono::duration_cast<std::chrono::milliseconds>(base::Clock::now() - start);
  return result;
}

Counts Play::run(const base::Context& ctx, const Execute& execute, const Observe& observe) const {
  Counts counts;
  for (std::size_t number = 0; number < playbook_.tasks.size(); ++number) {
    ctx.check_stop();
    TaskResult result;
    try {
      result = run_task(number, execute);
    } catch (const Error& e) {
      throw Error(e.code(), in_words(playbook_, number) + ": " + e.what());
    }
    observe(result);
    if (result.outcome == Outcome::failed)
      throw Error(Code::io, fmt::format("{} ended with {}: {}", in_words(playbook_, number), *result.status,
                                        last_words(result.output)));
    (result.outcome == Outcome::not_needed        ? counts.not_needed
     : result.outcome == Outcome::allowed_failure ? counts.failed
                                                  : counts.done)++;
  }
  return counts;
}

}  // namespace muster::playbooks
