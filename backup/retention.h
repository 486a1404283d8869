// Which restore points a policy keeps: the newest of each hour, day, ISO week, month, year, as in restic and borg. Pure
// functions of times; what a clock that was wrong did to them is the caller's business (forget.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace muster::backup {

struct KeepPolicy {
  unsigned last = 0, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0;
  std::optional<std::chrono::seconds> within{};  // younger than that, counted from the newest
  std::set<std::string> tags{};                  // those with any of these

  bool empty() const { return last + hourly + daily + weekly + monthly + yearly == 0 && !within && tags.empty(); }
};

struct RetentionCandidate {
  std::chrono::sys_seconds time;
  std::set<std::string> tags;
  bool pinned = false;
};

// For each candidate, in their order, which is that in which they were made where times are equal, why it is kept
// (`last`, `daily 2026-11-28`, `pinned`, ...): none, where it goes. `zone_offset`: of local time, whose days and weeks
// are meant.
std::vector<std::vector<std::string>> apply_policy(const KeepPolicy& policy,
                                                   const std::vector<RetentionCandidate>& candidates,
                                                   std::chrono::seconds zone_offset);

}  // namespace muster::backup
