#include "backup/retention.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include <fmt/format.h>

namespace muster::backup {
namespace {

using namespace std::chrono;

// ISO 8601: weeks begin on Monday, and the first of a year has its first Thursday.
std::string iso_week(sys_days day) {
  const sys_days monday = day - (weekday(day) - Monday);
  const year_month_day thursday(monday + days(3));
  const sys_days first = sys_days(thursday.year() / January / 1);
  return fmt::format("{:04}-W{:02}", static_cast<int>(thursday.year()), (sys_days(thursday) - first).count() / 7 + 1);
}

struct Rule {
  const char* name;
  unsigned count;
  std::function<std::string(sys_seconds)> period;
};

std::vector<Rule> rules_of(const KeepPolicy& policy) {
  const auto date = [](sys_seconds t) { return year_month_day(floor<days>(t)); };
  const auto month = [date](sys_seconds t) {
    return fmt::format("{:04}-{:02}", static_cast<int>(date(t).year()), static_cast<unsigned>(date(t).month()));
  };
  const auto day = [date, month](sys_seconds t) {
    return fmt::format("{}-{:02}", month(t), static_cast<unsigned>(date(t).day()));
  };
  return {
      {"hourly", policy.hourly,
       [day](sys_seconds t) { return fmt::format("{}T{:02}", day(t), hh_mm_ss(t - floor<days>(t)).hours().count()); }},
      {"daily", policy.daily, day},
      {"weekly", policy.weekly, [](sys_seconds t) { return iso_week(floor<days>(t)); }},
      {"monthly", policy.monthly, month},
      {"yearly", policy.yearly,
       [date](sys_seconds t) { return fmt::format("{:04}", static_cast<int>(date(t).year())); }}};
}

// `order`: newest first. The newest of each period, for the last so many periods that have any.
void keep_periods(const Rule& rule, const std::vector<RetentionCandidate>& candidates,
                  const std::vector<std::size_t>& order, seconds zone_offset,
                  std::vector<std::vector<std::string>>& reasons) {
  std::string last;
  unsigned kept = 0;
  for (const std::size_t i : order) {
    if (kept == rule.count) return;
    const std::string period = rule.period(candidates[i].time + zone_offset);
    if (period == last) continue;
    last = period;
    ++kept;
    reasons[i].push_back(fmt::format("{} {}", rule.name, period));
  }
}

}  // namespace

std::vector<std::vector<std::string>> apply_policy(const KeepPolicy& policy,
                                                   const std::vector<RetentionCandidate>& candidates,
                                                   seconds zone_offset) {
  std::vector<std::vector<std::string>> reasons(candidates.size());
  std::vector<std::size_t> order(candidates.size());
  std::iota(order.rbegin(), order.rend(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return candidates[a].time > candidates[b].time; });
  for (std::size_t i = 0; i < order.size(); ++i) {
    const RetentionCandidate& candidate = candidates[order[i]];
    if (candidate.pinned) reasons[order[i]].push_back("pinned");
    for (const auto& tag : candidate.tags)
      if (policy.tags.contains(tag)) reasons[order[i]].push_back("tag " + tag);
    if (i < policy.last) reasons[order[i]].push_back("last");
    if (policy.within && candidates[order[0]].time - candidate.time <= *policy.within)
      reasons[order[i]].push_back("within");
  }
  for (const auto& rule : rules_of(policy)) keep_periods(rule, candidates, order, zone_offset, reasons);
  return reasons;
}

}  // namespace muster::backup
