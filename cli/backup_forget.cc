// muster backup forget: lets restore points go by a policy; their room comes back with prune.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/backup_commands.h"
#include "cli/backup_point.h"
#include "cli/backup_points.h"
#include "cli/backup_policy.h"
#include "cli/json_lines.h"

namespace muster::cli {
namespace {

using backup::ForgetDecision;
using backup::GroupBy;
using base::Code;
using base::Error;

GroupBy group_by(const Settings& settings) {
  const std::string text = settings.text("group-by").value_or("name");
  if (text == "name") return GroupBy::name;
  if (text == "host") return GroupBy::host_and_name;
  if (text == "nothing") return GroupBy::nothing;
  settings.reject("group-by", "'" + text + "': write name, host or nothing");
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void show(const Program& program, const std::vector<ForgetDecision>& decisions) {
  const bool plan = program.settings.flag("dry-run");
  for (const auto& decision : decisions) {
    const auto& point = decision.point.point;
    const bool goes = decision.goes();
    if (program.json())
      program.console.out(json_line("result", {{"point", backup::hex(point.id)},
                                               {"name", point.name},
                                               {"outcome", goes ? (plan ? "plan" : "forgotten") : "kept"},
                                               {"reasons", decision.reasons}}));
    tell(program, fmt::format("{} {}@{}: {}", short_id(point.id), point.name, local_time(point.time),
                              goes ? (plan ? "would be let go" : "let go") : "kept: " + joined(decision.reasons)));
  }
}

// A typing error must not look like a job that is done.
void check_matches(const OpenedRepository& opened, const backup::ForgetRequest& request, const std::string& glob) {
  const auto points = backup::list_points(opened.context, opened.repository);
  if (std::none_of(points.begin(), points.end(),
                   [&](const auto& listed) { return request.matches(listed.point.name); }))
    throw Error(Code::usage, "no restore point's name matches '" + glob + "'");
}

}  // namespace

int backup_forget(const BackupCommand& command) {
  const Program& program = command.program;
  const std::string& glob = command.only_word();
  const backup::ForgetRequest request{.policy = keep_policy(program.settings),
                                      .group_by = group_by(program.settings),
                                      .matches = name_glob(glob),
                                      .zone_offset = zone_offset()};
  if (request.policy.empty()) throw Error(Code::usage, "say what is kept: --keep-last, --keep-daily and the like");
  if (program.settings.flag("prune")) check_prune_options(program);
  const auto opened = open_repository(program);
  if (!program.settings.flag("dry-run")) check_may_let_go(opened.repository);
  check_matches(opened, request, glob);
  const auto decisions = forget_by_policy(program, opened, request);
  show(program, decisions);
  nlohmann::json summary = forget_summary(decisions);
  if (program.settings.flag("prune")) summary.update(prune_repository(program, opened, decisions));
  if (program.settings.flag("dry-run")) summary["plan"] = "forget";
  return close_backup(program, summary, 0);
}

}  // namespace muster::cli
