// muster play: the tasks of a playbook, done on each of its hosts as far as they are needed there.
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/command_answer.h"
#include "cli/connect_options.h"
#include "cli/environment.h"
#include "cli/exit_status.h"
#include "cli/fleet_run.h"
#include "cli/json_lines.h"
#include "cli/program.h"
#include "cli/terminal_text.h"
#include "playbooks/play.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;
using playbooks::Outcome;
using playbooks::TaskResult;

json output_field(const std::string& output) {
  Utf8Check utf8;
  utf8.add(output);
  if (utf8.valid()) return {{"output", output}};
  Base64Stream base64;
  std::string text = base64.add(output);
  return {{"output_b64", text + base64.finish()}};
}

// What becomes of tasks and hosts, as it happens.
class PlayOutput : public ssh::RunObserver {
 public:
  PlayOutput(const Program& program, const HostNames& names, const playbooks::Playbook& playbook)
      : program_(program), names_(names), playbook_(playbook), counts_(names.size()) {}

  void task(std::size_t host, const TaskResult& result) {
    counts_[host].add(result.outcome);
    if (program_.json()) return program_.console.out(json_line("progress", fields_of(host, result)));
    const std::string lead = fmt::format("{}: ", names_[host]);
    std::string text;
    if (program_.settings.flag("verbose")) text = labelled(lead, result.output);
    text += fmt::format("{}{}: {}", lead, visible(playbook_.tasks[result.task].name), name_of(result.outcome));
    text += result.outcome == Outcome::not_needed ? fmt::format(", {}\n", visible(result.why))
                                                  : fmt::format(" in {}\n", base::format_duration(result.took));
    program_.console.out(text);
  }

  std::unique_ptr<ssh::HostOutput> started(std::size_t) override { return std::make_unique<Host>(*this); }
  void skipped(const ssh::HostReport& report) override { finished(report); }

 private:
  class Host : public ssh::HostOutput {
   public:
    explicit Host(PlayOutput& output) : output_(output) {}
    void output(ssh::Stream, std::string_view) override {}
    void finished(const ssh::HostReport& report) override { output_.finished(report); }

   private:
    PlayOutput& output_;
  };

  json fields_of(std::size_t host, const TaskResult& result) const {
    json fields = {{"host", names_[host]},
                   {"task", result.task + 1},
                   {"name", playbook_.tasks[result.task].name},
                   {"outcome", name_of(result.outcome)},
                   {"duration", seconds_of(result.took)}};
    if (!result.why.empty()) fields["why"] = result.why;
    if (result.status) fields["rc"] = *result.status;
    fields.update(output_field(result.output));
    return fields;
  }

  static std::string labelled(const std::string& lead, const std::string& output) {
    std::string text;
    for (std::size_t from = 0; from < output.size();) {
      const std::size_t end = std::min(output.find('\n', from), output.size());
      text += lead + visible(output.substr(from, end - from)) + "\n";
      from = end + 1;
    }
    return text;
  }

  void finished(const ssh::HostReport& report) const {
    if (!program_.json()) return;
    const auto& counts = counts_[report.host];
    json fields = {{"host", names_[report.host]},   {"state", ssh::name_of(report.state)},
                   {"tasks_done", counts.done},     {"tasks_not_needed", counts.not_needed},
                   {"tasks_failed", counts.failed}, {"duration", seconds_of(report.duration)}};
    if (!report.error.empty()) fields["error"] = report.error;
    program_.console.out(json_line("result", std::move(fields)));
  }

  const Program& program_;
  const HostNames& names_;
  const playbooks::Playbook& playbook_;
  std::vector<playbooks::Counts> counts_;  // by host, each written by its own thread
};

// Every request is a connection of its own.
class Executor {
 public:
  explicit Executor(const Program& program) : ctx_(program.ctx), clocks_(command_clocks(program.settings)) {}

  playbooks::Answer operator()(const ssh::HostRunner& runner, const ssh::Target& target,
                               ssh::RunRequest request) const {
    const auto own = request.clocks.total;
    request.clocks = clocks_;
    if (own) request.clocks.total = own;
    auto answer = ask_host(runner, target, request);
    if (!answer.note.empty()) ctx_.note(target.name + ": " + answer.note);
    return {.status = answer.status, .output = std::move(answer.output), .error = std::move(answer.error)};
  }

 private:
  const base::Context& ctx_;
  const ssh::CommandClocks clocks_;
};

std::string as_whom(const playbooks::Task& task) {
  return task.as == playbooks::Task::As::user ? " as " + visible(task.user) : "";
}

int dry_run(const Program& program, const FleetSelection& selection, const playbooks::Playbook& playbook) {
  for (const auto& name : selection.names())
    for (std::size_t number = 0; number < playbook.tasks.size(); ++number) {
      const auto& task = playbook.tasks[number];
      if (program.json())
        program.console.out(
            json_line("result", {{"host", name}, {"state", "plan"}, {"task", number + 1}, {"name", task.name}}));
      else
        program.console.out(fmt::format("{}: would do {}{}\n", name, visible(task.name), as_whom(task)));
    }
  if (program.json()) program.console.out(json_line("summary", {{"hosts", selection.size()}, {"exit", kAllWorked}}));
  return kAllWorked;
}

int play(Program& program) {
  const auto& words = program.arguments.words;
  if (words.size() != 1) throw Error(Code::usage, "one playbook, please: muster play FILE");
  auto playbook = playbooks::read_playbook(words.front());
  if (playbook.hosts.empty())
    throw Error(Code::usage, playbook.path + " does not say on which hosts: write 'hosts: PATTERN' into it");
  const FleetSelection selection(program, playbook.hosts);
  if (program.settings.flag("dry-run")) return dry_run(program, selection, playbook);

  const Executor execute(program);
  const auto password = asked_secret(program, "ask-sudo-pass", "sudo password: ");
  const playbooks::Play play(std::move(playbook), temporary_directory(), password);
  // A task is new work, which the first Ctrl-C lets nobody start.
  const base::Context until_drained{.stop = program.interrupts.drain(), .events = program.ctx.events};
  PlayOutput output(program, selection.names(), play.playbook());
  FleetRun fleet(program, selection);
  return fleet.execute(
      [&](const ssh::HostRunner& runner, const ssh::Target& target, std::size_t host, ssh::OutputSink&) {
        const auto start = base::Clock::now();
        auto report = report_of([&] {
          play.run(
              until_drained, [&](const ssh::RunRequest& request) { return execute(runner, target, request); },
              [&](const TaskResult& result) { output.task(host, result); });
        });
        report.duration = std::chrono::duration_cast<std::chrono::milliseconds>(base::Clock::now() - start);
        return report;
      },
      &output);
}

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) { return muster::cli::run_program("play", argc, argv, muster::cli::play); }
