// The protocol of writers and prunes loses no chunk of a point that holds, however their steps interleave and wherever
// one of them is killed or suspended; and each of its rules is needed for that.
#include <gtest/gtest.h>

#include "tests/backup/protocol_expectations.h"

namespace muster::backup::model {
namespace {

using enum Departure;

// --- what holds

TEST(ProtocolModel, KeepsWhatIsConfirmedBesideAPruneAndEndsWell) {
  expect_safe({.writers = 2, .check = Scenario::Check::progress});
}

TEST(ProtocolModel, KeepsWhatASecondAttemptConfirms) {
  expect_safe({.writers = 1, .attempts = 2, .check = Scenario::Check::progress});
}

TEST(ProtocolModel, KeepsWhatIsConfirmedWherePruneAfterPruneIsKilled) {
  Scenario scenario = with(kOnePruneAfterAnother, Scenario::Parent::forgotten_at_any_time);
  scenario.check = Scenario::Check::progress;
  expect_safe(scenario);
}

TEST(ProtocolModel, KeepsWhatIsConfirmedBesideTwoPrunes) { expect_safe(kTwoPrunesAtOnce); }

TEST(ProtocolModel, NeedsNoListThatIsOfOneMoment) {
  expect_safe(with(kOnePruneAfterAnother, Lists::none_of_one_moment));
}

// --- what does not

TEST(ProtocolModel, LosesChunksUnlessSentencesAreComparedAfterThePointIsPut) {
  expect_lost(kOneWriterOnePrune, sentences_not_compared);
  expect_lost(kOneWriterOnePrune, point_put_last);
}

TEST(ProtocolModel, LosesChunksOfAParentThatIsLookedAtBeforeTheSentences) {
  expect_lost(kOneWriterOnePrune, parent_looked_at_first);
}

TEST(ProtocolModel, LosesPointsUnlessADecisionHoldsForEver) {
  expect_lost(kOneWriterOnePrune, confirmed_over_rejected);
  expect_lost(kOneWriterOnePrune, rejected_over_confirmed);
  expect_lost(kOneWriterOnePrune, rejection_removed);
}

TEST(ProtocolModel, LosesChunksWherePacksComeBackUnderTheirNames) {
  expect_lost(kOneWriterOnePrune, packs_named_by_content);
}

TEST(ProtocolModel, LosesChunksUnlessPointsAreListedAfterTheSentenceIsPut) {
  expect_lost(kOneWriterOnePrune, points_listed_once);
}

TEST(ProtocolModel, LosesChunksWhereASentenceGoesWithTheRunThatPutIt) {
  expect_lost(kOneWriterOnePrune, sentence_removed_at_once);
}

TEST(ProtocolModel, LosesChunksWhereTablesGoBeforeTheMergedOneIsThere) {
  expect_lost(kOneWriterOnePrune, tables_removed_first);
}

TEST(ProtocolModel, LosesChunksUnlessAVerdictHoldsForEver) { expect_lost(kTwoPrunesAtOnce, verdict_replaced); }

TEST(ProtocolModel, LosesChunksWhereAVerdictGoesBeforeItsSentence) {
  expect_lost(kTwoPrunesAtOnce, verdict_removed_first);
}

TEST(ProtocolModel, LosesChunksWhereAnAcquittalGoesThatASuspendedPruneHasToFind) {
  expect_lost(kTwoPrunesAtOnce, acquittal_removed);
}

TEST(ProtocolModel, LosesChunksWhereTwoPrunesRelyOnEachOthersPacks) {
  expect_lost(with(kTwoPrunesAtOnce, Scenario::Parent::forgotten_at_any_time), undecided_not_counted);
}

TEST(ProtocolModel, LosesChunksWhereAListLacksATableUnlessAChunkWithoutACopyStopsAVerdict) {
  expect_lost(with(kTwoPrunesAtOnce, Lists::sentences_of_one_moment), missing_chunks_passed_over);
}

TEST(ProtocolModel, LosesChunksWhereSentencesGoWhileAWriterListsThem) {
  expect_lost(with(kOnePruneAfterAnother, Lists::none_of_one_moment), removal_beside_unconfirmed);
}

}  // namespace
}  // namespace muster::backup::model
