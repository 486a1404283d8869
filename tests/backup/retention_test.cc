// Which points a policy keeps.
#include "backup/retention.h"

#include <gtest/gtest.h>

#include "backup/rfc3339.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using namespace std::chrono;

std::vector<RetentionCandidate> at(const std::vector<std::string>& times) {
  std::vector<RetentionCandidate> candidates;
  for (const auto& time : times) candidates.push_back({.time = parse_rfc3339(time, "time"), .tags = {}});
  return candidates;
}

std::vector<bool> kept(const KeepPolicy& policy, const std::vector<RetentionCandidate>& candidates,
                       seconds zone_offset = {}) {
  std::vector<bool> result;
  for (const auto& reasons : apply_policy(policy, candidates, zone_offset)) result.push_back(!reasons.empty());
  return result;
}

TEST(Retention, TheLastAreTheNewestWhateverTheirOrder) {
  EXPECT_EQ(kept({.last = 2}, at({"2026-01-03T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"})),
            (std::vector{true, false, true}));
}

TEST(Retention, ADayKeepsItsNewestAndDaysWithoutAnyDoNotCount) {
  const auto candidates = at({"2026-01-01T10:00:00Z", "2026-01-01T23:00:00Z", "2026-01-05T01:00:00Z",
                              "2026-01-05T02:00:00Z", "2026-01-09T00:00:00Z"});
  EXPECT_EQ(kept({.daily = 2}, candidates), (std::vector{false, false, false, true, true}));
  EXPECT_EQ(kept({.daily = 3}, candidates), (std::vector{false, true, false, true, true}));
}

TEST(Retention, DaysAreThoseOfTheZone) {
  const auto candidates = at({"2026-01-01T22:30:00Z", "2026-01-01T23:30:00Z"});
  EXPECT_EQ(kept({.daily = 5}, candidates), (std::vector{false, true}));
  EXPECT_EQ(kept({.daily = 5}, candidates, hours(1)), (std::vector{true, true}));
}

TEST(Retention, WeeksAreThoseOfIso8601) {
  // 2027-01-01 is a Friday: with 2026-12-28 in week 53 of 2026.
  const auto reasons = apply_policy(
      {.weekly = 9},
      at({"2026-12-28T00:00:00Z", "2027-01-01T00:00:00Z", "2027-01-03T00:00:00Z", "2027-01-04T00:00:00Z"}), {});
  EXPECT_EQ(reasons, (std::vector<std::vector<std::string>>{{}, {}, {"weekly 2026-W53"}, {"weekly 2027-W01"}}));
}

TEST(Retention, MonthsYearsAndHours) {
  const auto candidates = at({"2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-01-31T12:00:00Z",
                              "2026-02-01T12:10:00Z", "2026-02-01T12:50:00Z"});
  EXPECT_EQ(kept({.monthly = 3}, candidates), (std::vector{true, false, true, false, true}));
  EXPECT_EQ(kept({.yearly = 2}, candidates), (std::vector{true, false, false, false, true}));
  EXPECT_EQ(kept({.hourly = 2}, candidates), (std::vector{false, false, true, false, true}));
}

TEST(Retention, WithinCountsFromTheNewest) {
  const auto candidates = at({"2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z", "2026-01-09T00:00:00Z"});
  EXPECT_EQ(kept({.within = days(1)}, candidates), (std::vector{false, true, true}));
}

TEST(Retention, PinsAndTagsStay) {
  auto candidates = at({"2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"});
  candidates[0].pinned = true;
  candidates[1].tags = {"golden"};
  EXPECT_EQ(kept({.last = 1, .tags = {"golden"}}, candidates), (std::vector{true, true, true}));
  EXPECT_EQ(kept({.last = 1}, candidates), (std::vector{true, false, true}));
}

TEST(Rfc3339, TimesGoOutAndIn) {
  for (const char* text : {"1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2026-11-28T02:00:00Z"})
    EXPECT_EQ(rfc3339(parse_rfc3339(text, "t")), text);
  for (const char* text : {"", "2026-11-28", "2026-02-30T00:00:00Z", "2026-11-28T24:00:00Z", "2026-11-28T00:00:00",
                           "2026-11-28T00:00:00+01:00", "-026-11-28T00:00:00Z", "2026-11-28t00:00:00Z"})
    EXPECT_THROW(parse_rfc3339(text, "t"), base::Error) << text;
}

}  // namespace
}  // namespace muster::backup
