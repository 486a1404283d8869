// muster vm: the life of virtual machines.
#include <array>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/connect_options.h"
#include "cli/environment.h"
#include "cli/machine_source.h"
#include "cli/verb_table.h"
#include "cli/vm_commands.h"
#include "cli/vm_selection.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

using Run = int (*)(const VmCommand&);
constexpr auto kRuns = std::to_array<std::pair<std::string_view, Run>>({
    {"list", vm_list},         {"info", vm_info},         {"xml", vm_xml},         {"start", vm_life},
    {"stop", vm_life},         {"reboot", vm_life},       {"reset", vm_life},      {"pause", vm_life},
    {"resume", vm_life},       {"save", vm_life},         {"wait", vm_life},       {"autostart", vm_life},
    {"delete", vm_delete},     {"undelete", vm_undelete}, {"trash", vm_trash},     {"stats", vm_stats},
    {"top", vm_top},           {"events", vm_events},     {"migrate", vm_migrate}, {"console", vm_console},
    {"edit", vm_edit},         {"rename", vm_rename},     {"create", vm_create},   {"set", vm_set},
    {"limit", vm_limit},       {"attach", vm_devices},    {"detach", vm_devices},  {"media", vm_devices},
    {"snapshot", vm_snapshot},
});

int run_vm(Program& program) {
  const auto& words = program.arguments.words;
  if (words.empty()) throw Error(Code::usage, "no verb: muster vm --help lists them");
  for (const auto& [verb, run] : kRuns) {
    if (verb != words.front()) continue;
    HypervisorWorkers workers(program.ctx, connect_patience(program.settings));
    return run({program, workers, words.front(), {words.begin() + 1, words.end()}});
  }
  throw Error(Code::usage, "no verb '" + words.front() + "': muster vm --help lists them");
}

}  // namespace

const std::string& VmCommand::only_word() const {
  if (words.size() == 1) return words.front();
  throw Error(Code::usage, fmt::format("write muster vm {} {}", verb, find_verb("vm", verb)->arguments));
}

VmTarget one_machine(const VmCommand& command, const std::string& pattern, Purpose purpose) {
  const auto selection = select_machines(command.program, command.workers, pattern, purpose);
  if (selection.targets.size() == 1) return selection.targets.front();
  throw Error(Code::usage, fmt::format("'{}' is {} machines; muster vm {} takes one", pattern, selection.targets.size(),
                                       command.verb));
}

void confirm(const Program& program, const std::string& question) {
  if (program.settings.flag("yes")) return;
  if (!on_terminal(STDIN_FILENO)) throw Error(Code::refused, question + ": say --yes, there is no terminal to ask");
  const auto answer = answer_on_terminal(question + "? [y/N] ", program.interrupts.drain());
  if (answer && (*answer == "y" || *answer == "yes")) return;
  throw Error(Code::refused, "not confirmed; nothing was done");
}

}  // namespace muster::cli

int main(int argc, char** argv) { return muster::cli::run_program("vm", argc, argv, muster::cli::run_vm); }
