#include "cli/backup_policy.h"

#include <algorithm>
#include <ctime>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace muster::cli {
namespace {

using backup::ForgetDecision;
using base::Code;
using base::Error;

}  // namespace

backup::KeepPolicy keep_policy(const Settings& settings) {
  const auto count = [&](const char* option) {
    return static_cast<unsigned>(settings.integer(option, 0, 1'000'000).value_or(0));
  };
  backup::KeepPolicy policy{.last = count("keep-last"),
                            .hourly = count("keep-hourly"),
                            .daily = count("keep-daily"),
                            .weekly = count("keep-weekly"),
                            .monthly = count("keep-monthly"),
                            .yearly = count("keep-yearly"),
                            .within = std::nullopt,
                            .tags = {}};
  if (const auto within = settings.duration("keep-within"))
    policy.within = std::chrono::duration_cast<std::chrono::seconds>(*within);
  for (const auto& tag : settings.list("keep-tag")) policy.tags.insert(tag);
  return policy;
}

std::chrono::seconds zone_offset() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  return std::chrono::seconds(parts.tm_gmtoff);
}

void check_may_let_go(const backup::Repository& repository) {
  if (!repository.credential().maintenance_seed)
    throw Error(Code::key, "this key may write backups, not let go of any: take the owner's or a maintenance key");
}

std::vector<ForgetDecision> forget_by_policy(const Program& program, const OpenedRepository& opened,
                                             const backup::ForgetRequest& request) {
  auto decisions = backup::plan_forget(opened.context, opened.repository, request);
  if (!program.settings.flag("dry-run")) backup::carry_out(opened.context, opened.repository, decisions);
  return decisions;
}

nlohmann::json forget_summary(const std::vector<ForgetDecision>& decisions) {
  const auto gone = static_cast<std::size_t>(
      std::count_if(decisions.begin(), decisions.end(), [](const auto& decision) { return decision.goes(); }));
  return {{"kept", decisions.size() - gone}, {"forgotten", gone}};
}

}  // namespace muster::cli
