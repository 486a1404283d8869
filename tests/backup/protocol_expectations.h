// What tests of the protocol's model expect of it, and the scenarios that several of them have in common. Prints how
// many states were looked at, so that a scenario that shrinks to nothing shows. Included by the quick and the long
// tests.
#pragma once

#include <cstdio>
#include <string>

#include <gtest/gtest.h>

#include "tests/backup/protocol_model.h"

namespace muster::backup::model {

inline std::string text_of(const Outcome& outcome) {
  std::string text = outcome.violation;
  for (const auto& step : outcome.trace) text += "\n  " + step;
  return text;
}

// Every state there is keeps what has to be kept.
inline void expect_safe(const Scenario& scenario) {
  const Outcome outcome = explore(scenario);
  std::printf("%llu states\n", static_cast<unsigned long long>(outcome.states));
  EXPECT_EQ(outcome.violation, "") << text_of(outcome);
}

// Some state does not, once that rule is broken.
inline void expect_lost(Scenario scenario, Departure departure) {
  scenario.departure = departure;
  const Outcome outcome = explore(scenario);
  std::printf("%llu states, %zu steps\n", static_cast<unsigned long long>(outcome.states), outcome.trace.size());
  EXPECT_NE(outcome.violation, "");
  EXPECT_FALSE(outcome.trace.empty());
}

constexpr Scenario kOneWriterOnePrune{.writers = 1};
// The later run comes once the earlier one has ended or was killed, at any step.
constexpr Scenario kOnePruneAfterAnother{
    .writers = 1, .prunes = 2, .alive_at_once = 1, .parent = Scenario::Parent::none, .repack = Scenario::Repack::none};
constexpr Scenario kTwoPrunesAtOnce{
    .writers = 1, .prunes = 2, .alive_at_once = 2, .parent = Scenario::Parent::none, .repack = Scenario::Repack::none};

inline Scenario with(Scenario scenario, Scenario::Parent parent, Scenario::Repack repack = Scenario::Repack::none) {
  scenario.parent = parent;
  scenario.repack = repack;
  return scenario;
}

inline Scenario with(Scenario scenario, Lists lists) {
  scenario.lists = lists;
  return scenario;
}

}  // namespace muster::backup::model
