#include "cli/verb_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/connect_options.h"
#include "cli/environment.h"
#include "cli/machine_source.h"
#include "cli/verb_table.h"

namespace muster::cli {

using base::Code;
using base::Error;

int run_verb(Program& program, std::span<const std::pair<std::string_view, VerbRun>> verbs) {
  const auto& words = program.arguments.words;
  const auto command = program.command.name;
  if (words.empty()) throw Error(Code::usage, fmt::format("no verb: muster {} --help lists them", command));
  for (const auto& [verb, run] : verbs) {
    if (verb != words.front()) continue;
    HypervisorWorkers workers(program.ctx, connect_patience(program.settings));
    return run({program, workers, words.front(), {words.begin() + 1, words.end()}});
  }
  throw Error(Code::usage, fmt::format("no verb '{}': muster {} --help lists them", words.front(), command));
}

const std::string& VerbCommand::only_word() const {
  if (words.size() == 1) return words.front();
  const auto command = program.command.name;
  throw Error(Code::usage, fmt::format("write muster {} {} {}", command, verb, find_verb(command, verb)->arguments));
}

VmTarget one_machine(const VerbCommand& command, const std::string& pattern, Purpose purpose) {
  const auto selection = select_machines(command.program, command.workers, pattern, purpose);
  if (selection.targets.size() == 1) return selection.targets.front();
  throw Error(Code::usage, fmt::format("'{}' is {} machines; muster {} {} takes one", pattern, selection.targets.size(),
                                       command.program.command.name, command.verb));
}

void confirm(const Program& program, const std::string& question) {
  if (program.settings.flag("yes")) return;
  if (!on_terminal(STDIN_FILENO)) throw Error(Code::refused, question + ": say --yes, there is no terminal to ask");
  const auto answer = answer_on_terminal(question + "? [y/N] ", program.interrupts.drain());
  if (answer && (*answer == "y" || *answer == "yes")) return;
  throw Error(Code::refused, "not confirmed; nothing was done");
}

}  // namespace muster::cli
