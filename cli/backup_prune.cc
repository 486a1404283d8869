// muster backup prune: gives back the room of what no restore point needs, and says for whom the rest waits.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/prune.h"
#include "backup/rfc3339.h"
#include "base/quantity.h"
#include "cli/backup_commands.h"
#include "cli/backup_point.h"
#include "cli/backup_policy.h"
#include "cli/backup_progress.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"

namespace muster::cli {
namespace {

using backup::PruneOptions;
using backup::PruneResult;
using nlohmann::json;

PruneOptions options_of(const Program& program) {
  PruneOptions options;
  if (const auto text = program.settings.text("max-repack")) options.max_repack_bytes = base::parse_size(*text);
  if (program.settings.flag("dry-run")) options.act = PruneOptions::Act::plan;
  return options;
}

json fields_of(const PruneResult& result) {
  json waited = json::array();
  for (const auto& somebody : result.waited_for)
    waited.push_back({{"host", somebody.host}, {"kind", somebody.kind}, {"since", backup::rfc3339(somebody.since)}});
  return {{"packs", result.packs},
          {"live_bytes", result.live_bytes},
          {"sentenced_packs", result.sentenced_packs},
          {"sentenced_bytes", result.sentenced_bytes},
          {"repacked_packs", result.repacked_packs},
          {"repacked_bytes", result.repacked_bytes},
          {"removed_packs", result.removed_packs},
          {"removed_bytes", result.removed_bytes},
          {"removed_points", result.removed_points},
          {"waited_for", waited}};
}

void tell_plan(const Program& program, const PruneResult& result) {
  tell(program, fmt::format("would free {} in {} packs", size_text(result.sentenced_bytes + result.removed_bytes),
                            result.sentenced_packs + result.removed_packs));
  if (result.repacked_packs != 0)
    tell(program,
         fmt::format("would write {} of them anew, {}", result.repacked_packs, size_text(result.repacked_bytes)));
}

void tell_result(const Program& program, const PruneResult& result) {
  tell(program, fmt::format("freed {} in {} packs; {} packs hold {} that is needed", size_text(result.removed_bytes),
                            result.removed_packs, result.packs - result.removed_packs, size_text(result.live_bytes)));
  if (result.repacked_packs != 0)
    tell(program, fmt::format("wrote {} packs anew, {}", result.repacked_packs, size_text(result.repacked_bytes)));
  if (result.removed_points != 0)
    tell(program, fmt::format("removed {} restore points that were never finished", result.removed_points));
}

// What is marked goes once they are done.
void tell_waiting(const Program& program, const PruneResult& result) {
  for (const auto& somebody : result.waited_for)
    tell(program, fmt::format("waits for a {} of {}, at work since {}", somebody.kind, somebody.host,
                              local_time(somebody.since)));
  if (!result.waited_for.empty())
    tell(program, fmt::format("{} in {} packs are marked: a later prune gives them back",
                              size_text(result.sentenced_bytes), result.sentenced_packs));
}

}  // namespace

void check_prune_options(const Program& program) { options_of(program); }

json prune_repository(const Program& program, const OpenedRepository& opened,
                      const std::vector<backup::ForgetDecision>& gone) {
  PruneOptions options = options_of(program);
  for (const auto& decision : gone)
    if (decision.goes()) options.plan_without.push_back(decision.point.point.id);
  const PruneResult result = [&] {
    backup::Progress progress;
    options.progress = &progress;
    const BackupProgress shown(program, "prune", progress);
    return backup::prune(opened.context, opened.repository, options);
  }();
  if (options.act == PruneOptions::Act::plan)
    tell_plan(program, result);
  else
    tell_result(program, result);
  tell_waiting(program, result);
  return fields_of(result);
}

int backup_prune(const BackupCommand& command) {
  const Program& program = command.program;
  command.no_words();
  check_prune_options(program);
  const auto opened = open_repository(program);
  json summary = prune_repository(program, opened);
  if (program.settings.flag("dry-run")) summary["plan"] = "prune";
  return close_backup(program, summary, 0);
}

}  // namespace muster::cli
