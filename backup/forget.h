// Lets restore points go by a policy, for each machine apart. What they alone had stays until prune.h. Not thread-safe.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backup/labels.h"
#include "backup/repository.h"
#include "backup/restore_point.h"
#include "backup/retention.h"

namespace muster::backup {

enum class GroupBy { name, host_and_name, nothing };

struct ForgetRequest {
  KeepPolicy policy;
  GroupBy group_by = GroupBy::name;
  std::function<bool(const std::string& name)> matches{};  // machines meant
  std::chrono::seconds zone_offset{};
  // For a plan: those that would be there by then.
  std::vector<ListedPoint> also{};
};

struct ForgetDecision {
  ListedPoint point;
  std::vector<std::string> reasons;  // why it is kept; none: it goes
  bool goes() const { return reasons.empty(); }
};

// Of a machine that looks as if its disks were being encrypted (tripwire.h) nothing goes.
// Times are those of points, or of the store where a point claims to be younger than the store knows it: a clock that
// was ahead must not push real points out. The newest of each group by the store's clock is always kept.
// Throws Error{usage} for a policy that keeps nothing.
std::vector<ForgetDecision> plan_forget(const base::Context& ctx, const Repository& repository,
                                        const ForgetRequest& request);
// Throws Error{key} without the maintenance key.
void carry_out(const base::Context& ctx, const Repository& repository, const std::vector<ForgetDecision>& decisions);

}  // namespace muster::backup
