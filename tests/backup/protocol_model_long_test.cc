// As protocol_model_test.cc, with more writers, prunes and chunks, weaker lists, and rules that only these need:
// minutes, and gigabytes, so a program of its own that runs with the long tests.
#include <gtest/gtest.h>

#include "tests/backup/protocol_expectations.h"

namespace muster::backup::model {
namespace {

using enum Departure;

TEST(LongProtocolModel, KeepsWhatTwoWritersConfirmWherePruneAfterPruneIsKilled) {
  expect_safe({.writers = 2, .prunes = 2});
}

TEST(LongProtocolModel, KeepsWhatTwoWritersConfirmBesideTwoPrunes) {
  expect_safe({.writers = 2, .prunes = 2, .alive_at_once = 2, .repack = Scenario::Repack::none});
}

TEST(LongProtocolModel, KeepsWhatIsConfirmedBesideTwoPrunesThatRepack) {
  expect_safe({.writers = 1, .prunes = 2, .alive_at_once = 2});
  expect_safe({.writers = 1, .prunes = 2, .alive_at_once = 2, .chunks = 3});
  expect_safe(with({.writers = 1, .prunes = 2, .alive_at_once = 2}, Lists::sentences_of_one_moment));
}

TEST(LongProtocolModel, KeepsWhatIsConfirmedWhereTablesGoOneByOne) {
  expect_safe({.writers = 1,
               .prunes = 2,
               .alive_at_once = 2,
               .repack = Scenario::Repack::none,
               .tables = Scenario::Tables::removed_one_by_one});
}

TEST(LongProtocolModel, NeedsNoListThatIsOfOneMomentBesideTwoPrunes) {
  expect_safe(with(kTwoPrunesAtOnce, Lists::none_of_one_moment));
}

TEST(LongProtocolModel, EndsWellFromEveryStateOfPruneAfterPrune) {
  expect_safe({.writers = 1, .attempts = 2, .prunes = 2, .check = Scenario::Check::progress});
}

TEST(LongProtocolModel, LosesChunksUnlessANeededChunkWithoutACopyStopsAVerdict) {
  Scenario scenario = kOnePruneAfterAnother;
  scenario.writers = 2;
  expect_lost(scenario, missing_chunks_passed_over);
}

TEST(LongProtocolModel, LosesChunksOfAParentThatIsForgottenWhileTwoPrunesJudge) {
  expect_lost({.writers = 1, .prunes = 2, .alive_at_once = 2}, only_points_of_now);
}

TEST(LongProtocolModel, LosesChunksWhereAListHasTheLaterOfTwoSentencesAlone) {
  expect_lost(with({.writers = 1, .prunes = 2}, Lists::none_of_one_moment), sentences_listed_once);
}

}  // namespace
}  // namespace muster::backup::model
