// muster backup: restore points of disks, in a repository.
#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/error.h"
#include "cli/backup_commands.h"
#include "cli/connect_options.h"
#include "cli/environment.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/terminal_text.h"
#include "cli/verb_table.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

using Run = int (*)(const BackupCommand&);
constexpr auto kRuns = std::to_array<std::pair<std::string_view, Run>>({
    {"init", backup_init},         {"key", backup_key},       {"create", backup_create}, {"list", backup_list},
    {"show", backup_show},         {"tag", backup_label},     {"pin", backup_label},     {"status", backup_status},
    {"diff", backup_diff},         {"stats", backup_stats},   {"ls", backup_files},      {"cat", backup_files},
    {"restore", backup_restore},   {"check", backup_check},   {"serve", backup_serve},   {"repair", backup_repair},
    {"schedule", backup_schedule}, {"forget", backup_forget}, {"prune", backup_prune},
});

int run_backup(Program& program) {
  const auto& words = program.arguments.words;
  if (words.empty()) throw Error(Code::usage, "no verb: muster backup --help lists them");
  for (const auto& [verb, run] : kRuns)
    if (verb == words.front()) return run({program, words.front(), {words.begin() + 1, words.end()}});
  throw Error(Code::usage, "no verb '" + words.front() + "': muster backup --help lists them");
}

}  // namespace

void BackupCommand::explain() const {
  const std::string_view arguments = find_verb("backup", verb)->arguments;
  throw Error(Code::usage, fmt::format("write muster backup {}{}{}", verb, arguments.empty() ? "" : " ", arguments));
}

const std::string& BackupCommand::only_word() const {
  if (words.size() != 1) explain();
  return words.front();
}

void BackupCommand::no_words() const {
  if (!words.empty()) explain();
}

int close_backup(const Program& program, nlohmann::json summary, int status) {
  summary["exit"] = status;
  if (program.json()) program.console.out(json_line("summary", std::move(summary)));
  return status;
}

int close_plan(const Program& program, const std::string& verb, const std::string& what) {
  tell(program, "would " + what);
  if (program.json()) program.console.out(json_line("result", {{"plan", verb}, {"what", what}}));
  return close_backup(program, {{"plan", verb}}, kAllWorked);
}

void tell(const Program& program, const std::string& line) {
  if (!program.json() && !program.quiet()) program.console.out(visible(line) + "\n");
}

void confirm_backup(const Program& program, const std::string& question) {
  if (program.settings.flag("yes")) return;
  if (!on_terminal(STDIN_FILENO)) throw Error(Code::refused, question + ": say --yes, there is no terminal to ask");
  const auto answer = answer_on_terminal(visible(question) + "? [y/N] ", program.interrupts.drain());
  if (answer && (*answer == "y" || *answer == "yes")) return;
  throw Error(Code::refused, "not confirmed; nothing was done");
}

}  // namespace muster::cli

int main(int argc, char** argv) { return muster::cli::run_program("backup", argc, argv, muster::cli::run_backup); }
