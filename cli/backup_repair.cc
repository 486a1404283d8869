// muster backup repair: reads all data, then quarantines what is damaged, or takes it from another repository, and
// makes index tables anew.
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "backup/repair.h"
#include "base/error.h"
#include "cli/backup_commands.h"
#include "cli/backup_findings.h"
#include "cli/backup_progress.h"
#include "cli/environment.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"

namespace muster::cli {
namespace {

using backup::RepairPlan;
using backup::RepairResult;
using base::Code;
using base::Error;
using nlohmann::json;

void show_plan(const Program& program, const RepairPlan& plan, bool has_second) {
  for (const auto& step : plan.steps(has_second)) {
    tell(program, step);
    if (program.json()) program.console.out(json_line("result", {{"plan", "repair"}, {"what", step}}));
  }
}

void tell_result(const Program& program, const RepairResult& result) {
  if (result.quarantined != 0)
    tell(program,
         fmt::format("{} damaged records are not relied on any more: the next backup stores what it has of them",
                     result.quarantined));
  if (result.indexed_packs != 0)
    tell(program, fmt::format("{} packs with {} records are in an index table again", result.indexed_packs,
                              result.indexed_records));
  if (result.removed_tables != 0) tell(program, fmt::format("removed {} damaged index tables", result.removed_tables));
  if (result.refilled != 0) tell(program, fmt::format("took {} chunks from the other repository", result.refilled));
  if (result.still_missing != 0)
    program.ctx.warn(
        fmt::format("{} chunks are still missing: back up again what is named above, or say --from with a "
                    "repository that has them",
                    result.still_missing));
}

RepairResult repair_shown(const Program& program, const OpenedRepository& opened, const RepairPlan& plan,
                          const backup::Repository* second) {
  backup::Progress progress;
  const BackupProgress shown(program, "repair", progress);
  return backup::repair(opened.context, opened.repository, plan, second, progress);
}

json fields_of(const RepairResult& result) {
  return {{"quarantined", result.quarantined},
          {"indexed_packs", result.indexed_packs},
          {"indexed_records", result.indexed_records},
          {"removed_tables", result.removed_tables},
          {"refilled", result.refilled},
          {"still_missing", result.still_missing}};
}

// Before all data is read: whether it will be possible to go on.
std::unique_ptr<const backup::Repository> second_repository(const Program& program) {
  if (!program.settings.flag("dry-run") && !program.settings.flag("yes") && !on_terminal(STDIN_FILENO))
    throw Error(Code::refused, "repair the repository: say --yes, or --dry-run, there is no terminal to ask");
  const auto from = program.settings.text("from");
  if (!from) return nullptr;
  return std::unique_ptr<const backup::Repository>(new auto(open_second_repository(program, *from)));
}

}  // namespace

int backup_repair(const BackupCommand& command) {
  const Program& program = command.program;
  command.no_words();
  if (const auto from = program.settings.text("from")) check_is_directory_name(*from);
  const auto opened = open_repository(program);
  const auto second = second_repository(program);
  const auto found =
      check_and_tell(program, opened, {.depth = backup::CheckDepth::data, .workers = worker_count(program.settings)});
  const auto plan = backup::plan_repair(opened.context, opened.repository, found);
  if (plan.empty()) {
    tell(program, "there is nothing to repair");
    return close_backup(program, json::object(), found.clean() ? kAllWorked : kDamage);
  }
  show_plan(program, plan, second != nullptr);
  if (program.settings.flag("dry-run")) return close_backup(program, {{"plan", "repair"}}, kAllWorked);
  confirm_backup(program, "repair the repository");
  const auto result = repair_shown(program, opened, plan, second.get());
  tell_result(program, result);
  return close_backup(program, fields_of(result), result.still_missing == 0 ? kAllWorked : kDamage);
}

}  // namespace muster::cli
