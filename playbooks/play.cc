#include "playbooks/play.h"

#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace muster::playbooks {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kLastWordsBytes = 300;
// For what asks whether a task is needed.
constexpr std::chrono::minutes kGuardPatience{5};
// What it ends with where it is not so. Any other status is nobody's answer: sudo, or the login shell, did not let it
// be asked.
constexpr int kNotSo = 10;

// Of the last line that is not empty.
std::string last_words(const std::string& output) {
  const auto lines = base::lines_of(output);
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    if (!line->empty()) return std::string(base::last_whole_characters(*line, kLastWordsBytes));
  return "it said nothing";
}

std::string question(const std::string& command) {
  return "sh -c " + ssh::in_quotes(fmt::format("if ( {}\n) then exit 0; else exit {}; fi", command, kNotSo));
}

ssh::RunRequest request_of(const Task& task, const std::optional<std::string>& sudo_password) {
  ssh::RunRequest request;
  if (task.as == Task::As::user) request.sudo = ssh::Sudo{task.user};
  request.as_login = task.as == Task::As::login;
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

void Counts::add(Outcome outcome) {
  (outcome == Outcome::done ? done : outcome == Outcome::not_needed ? not_needed : failed)++;
}

Play::Play(Playbook playbook, const std::string& directory, const std::optional<std::string>& sudo_password)
    : playbook_(std::move(playbook)) {
  for (auto& task : playbook_.tasks) steps_.push_back(step_of(task, directory, sudo_password));
}

Play::Step Play::step_of(Task& task, const std::string& directory, const std::optional<std::string>& sudo_password) {
  Step step{.guards = {}, .request = request_of(task, sudo_password)};
  const auto guard = [&](const char* key, const std::string& command, bool needed_if_so, std::string why) {
    Guard made{
        .request = request_of(task, sudo_password), .needed_if_so = needed_if_so, .key = key, .why = std::move(why)};
    made.request.command.command = question(command);
    made.request.clocks.total = kGuardPatience;
    step.guards.push_back(std::move(made));
  };
  const auto is_there = [](const std::string& path) { return "test -e " + ssh::in_quotes(path); };
  if (task.creates) guard("creates", is_there(*task.creates), false, *task.creates + " is there");
  if (task.removes) guard("removes", is_there(*task.removes), true, *task.removes + " is not there");
  if (task.unless) guard("unless", *task.unless, false, "unless says so");
  if (task.only_if) guard("onlyif", *task.only_if, true, "onlyif says so");
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
  task.script->bytes.clear();
  return step;
}

TaskResult Play::run_task(std::size_t number, const Execute& execute, std::optional<Error>& error) const {
  const Task& task = playbook_.tasks[number];
  TaskResult result{.task = number};
  const auto broke_off = [&](Answer& answer, const Error& why) {
    error = why;
    result.outcome = Outcome::failed;
    result.why = why.what();
    result.output = std::move(answer.output);
    return result;
  };
  for (const auto& guard : steps_[number].guards) {
    Answer answer = execute(guard.request);
    const std::string lead = "whether it is needed could not be asked (" + guard.key + "): ";
    if (answer.error) return broke_off(answer, Error(answer.error->code(), lead + answer.error->what()));
    if (answer.status != 0 && answer.status != kNotSo)
      return broke_off(answer, Error(Code::io, fmt::format("{}it ended with {}: {}", lead, *answer.status,
                                                           last_words(answer.output))));
    if ((answer.status == 0) == guard.needed_if_so) continue;
    result.outcome = Outcome::not_needed;
    result.why = guard.why;
    return result;
  }
  Answer answer = execute(steps_[number].request);
  if (answer.error) return broke_off(answer, *answer.error);
  result.status = answer.status;
  result.output = std::move(answer.output);
  if (task.fine.contains(*answer.status)) return result;
  result.outcome = task.may_fail ? Outcome::allowed_failure : Outcome::failed;
  if (!task.may_fail)
    error.emplace(Code::io, fmt::format("it ended with {}: {}", *answer.status, last_words(result.output)));
  return result;
}

void Play::run(const base::Context& ctx, const Execute& execute, const Observe& observe) const {
  for (std::size_t number = 0; number < playbook_.tasks.size(); ++number) {
    if (ctx.stop.stop_requested()) throw Error(Code::cancelled, "stopped before " + in_words(playbook_, number));
    const auto start = base::Clock::now();
    std::optional<Error> error;
    TaskResult result = run_task(number, execute, error);
    result.took = std::chrono::duration_cast<std::chrono::milliseconds>(base::Clock::now() - start);
    observe(result);
    if (error) throw Error(error->code(), in_words(playbook_, number) + ": " + error->what());
  }
}

}  // namespace muster::playbooks
