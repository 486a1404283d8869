#include "cli/backup_follow_up.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/backup_commands.h"
#include "cli/backup_findings.h"
#include "cli/backup_point.h"
#include "cli/backup_policy.h"
#include "cli/exit_status.h"

namespace muster::cli {
namespace {

using nlohmann::json;

std::vector<backup::ForgetDecision> forget(const Program& program, const OpenedRepository& opened,
                                           const CreateOrder& order, const FollowUp& what, json& summary) {
  if (order.policy.empty()) return {};
  auto decisions = forget_by_policy(program, opened,
                                    {.policy = order.policy,
                                     .matches = [&](const std::string& name) { return what.names.contains(name); },
                                     .zone_offset = zone_offset(),
                                     .also = what.planned});
  summary.update(forget_summary(decisions));
  const bool plan = program.settings.flag("dry-run");
  for (const auto& decision : decisions)
    if (decision.goes())
      tell(program,
           fmt::format("{}: restore point {} of {} {}", decision.point.point.name, short_id(decision.point.point.id),
                       local_time(decision.point.point.time), plan ? "would be let go" : "let go"));
  return decisions;
}

}  // namespace

void check_follow_up(const Program& program, const OpenedRepository& opened, const CreateOrder& order) {
  if (order.prune) check_prune_options(program);
  if (!order.policy.empty() || order.prune) check_may_let_go(opened.repository);
}

int follow_up(const Program& program, const OpenedRepository& opened, const CreateOrder& order, const FollowUp& what,
              json& summary) {
  const auto gone = forget(program, opened, order, what, summary);
  if (order.prune) summary.update(prune_repository(program, opened, gone));
  if (!order.check || program.settings.flag("dry-run")) return kAllWorked;
  const auto found = check_and_tell(program, opened,
                                    {.depth = backup::CheckDepth::data,
                                     .part = order.check->part,
                                     .parts = order.check->parts,
                                     .workers = order.options.workers});
  return found.clean() ? kAllWorked : kDamage;
}

}  // namespace muster::cli
