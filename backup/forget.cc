#include "backup/forget.h"

#include <algorithm>
#include <map>
#include <set>

#include "backup/tripwire.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Context;

std::string group_of(const ListedPoint& listed, GroupBy group_by) {
  switch (group_by) {
    case GroupBy::name:
      return listed.point.name;
    case GroupBy::host_and_name:
      return hex(listed.signer) + listed.point.name;
    case GroupBy::nothing:
      return "";
  }
  return "";
}

void decide(const ForgetRequest& request, const LabelChanges& labels, std::vector<ForgetDecision*>& group) {
  std::vector<RetentionCandidate> candidates;
  for (const auto* decision : group) {
    const ListedPoint& listed = decision->point;
    const Labels own = labels_of(listed.point, labels);
    candidates.push_back({.time = std::min(listed.point.time, listed.stored), .tags = own.tags, .pinned = own.pinned});
  }
  const auto reasons = apply_policy(request.policy, candidates, request.zone_offset);
  for (std::size_t i = 0; i < group.size(); ++i) group[i]->reasons = reasons[i];
  // Whatever its clock said.
  auto* newest = *std::max_element(group.begin(), group.end(), [](const ForgetDecision* a, const ForgetDecision* b) {
    return std::tie(a->point.stored, a->point.point.time, a->point.point.sequence) <
           std::tie(b->point.stored, b->point.point.time, b->point.point.sequence);
  });
  if (newest->reasons.empty()) newest->reasons.emplace_back("the newest");
}

// The machine's last good points are worth more than a policy.
void keep_suspects(const LabelChanges& labels, std::vector<ForgetDecision>& decisions) {
  std::set<std::string> suspect;
  for (const auto& decision : decisions)
    if (labels_of(decision.point.point, labels).tags.contains(kSuspectTag)) suspect.insert(decision.point.point.name);
  for (auto& decision : decisions)
    if (decision.goes() && suspect.contains(decision.point.point.name)) decision.reasons.emplace_back("suspect");
}

}  // namespace

std::vector<ForgetDecision> plan_forget(const Context& ctx, const Repository& repository,
                                        const ForgetRequest& request) {
  if (request.policy.empty())
    throw base::Error(base::Code::usage, "nothing says what to keep: give --keep-last, --keep-daily, ...");
  const auto labels = read_labels(ctx, repository);
  std::vector<ForgetDecision> decisions;
  auto points = list_points(ctx, repository);
  points.insert(points.end(), request.also.begin(), request.also.end());
  for (auto& listed : points)
    if (!request.matches || request.matches(listed.point.name))
      decisions.push_back({.point = std::move(listed), .reasons = {}});
  std::map<std::string, std::vector<ForgetDecision*>> groups;
  for (auto& decision : decisions) groups[group_of(decision.point, request.group_by)].push_back(&decision);
  for (auto& [name, group] : groups) decide(request, labels, group);
  keep_suspects(labels, decisions);
  return decisions;
}

void carry_out(const Context& ctx, const Repository& repository, const std::vector<ForgetDecision>& decisions) {
  std::vector<ObjectId> points;
  for (const auto& decision : decisions)
    if (decision.goes()) points.push_back(decision.point.point.id);
  forget_points(ctx, repository, points);
}

}  // namespace muster::backup
