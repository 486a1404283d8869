#include "parallel-ssh/sudo_dialog.h"

#include <gtest/gtest.h>

#include "parallel-ssh/command_line.h"

namespace muster::ssh {
namespace {

const SudoSecret kSecret{.prompt_marker = "[prompt]", .ready_marker = "[ready]", .password = "pass word"};

TEST(SudoDialog, AnswersOnceAfterThePromptAndCutsBothMarkersOut) {
  SudoDialog dialog(kSecret);
  EXPECT_EQ(dialog.take_answer(), "");
  EXPECT_EQ(dialog.filter("lecture\n[prompt]"), "lecture\n");
  EXPECT_FALSE(dialog.let_through());
  EXPECT_EQ(dialog.take_answer(), "pass word\n");
  EXPECT_EQ(dialog.take_answer(), "");
  EXPECT_EQ(dialog.filter("\n[ready]own"), "\nown");
  EXPECT_TRUE(dialog.let_through());
  EXPECT_FALSE(dialog.refused());
  EXPECT_EQ(dialog.finish(), "");
}

TEST(SudoDialog, MarkersAreFoundHoweverTheyAreSplit) {
  const std::string stream = "a[prompt]b[ready]c";
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (std::size_t second = first; second <= stream.size(); ++second) {
      SudoDialog dialog(kSecret);
      std::string own = dialog.filter(stream.substr(0, first));
      own += dialog.filter(stream.substr(first, second - first));
      own += dialog.filter(stream.substr(second));
      own += dialog.finish();
      EXPECT_EQ(own, "abc") << first << ", " << second;
      EXPECT_TRUE(dialog.let_through());
      EXPECT_EQ(dialog.take_answer(), "pass word\n");
    }
  }
}

TEST(SudoDialog, WithoutPromptNoPasswordIsSent) {
  SudoDialog dialog(kSecret);
  EXPECT_EQ(dialog.filter("[ready]"), "");
  EXPECT_TRUE(dialog.let_through());
  EXPECT_EQ(dialog.take_answer(), "");
}

TEST(SudoDialog, SecondPromptIsARefusalWithoutASecondAnswer) {
  SudoDialog dialog(kSecret);
  EXPECT_EQ(dialog.filter("[prompt]"), "");
  EXPECT_EQ(dialog.take_answer(), "pass word\n");
  EXPECT_EQ(dialog.filter("Sorry, try again.\n[prompt]"), "Sorry, try again.\n");
  EXPECT_TRUE(dialog.refused());
  EXPECT_EQ(dialog.take_answer(), "");
  EXPECT_EQ(dialog.filter("[prompt]"), "");
  EXPECT_TRUE(dialog.refused());
  EXPECT_EQ(dialog.take_answer(), "");
}

TEST(SudoDialog, TwoPromptsInOnePieceAreARefusalToo) {
  SudoDialog dialog(kSecret);
  EXPECT_EQ(dialog.filter("[prompt]no\n[prompt]"), "no\n");
  EXPECT_TRUE(dialog.refused());
  EXPECT_EQ(dialog.take_answer(), "");
}

TEST(SudoDialog, WhatOnlyLooksLikeAMarkerIsOutput) {
  SudoDialog dialog(kSecret);
  std::string own;
  for (const auto* piece : {"[[prompt", ")", "[pro", "[read", "y", "!", "[prompt] is next: [PROMPT]"})
    own += dialog.filter(piece);
  own += dialog.finish();
  EXPECT_EQ(own, "[[prompt)[pro[ready! is next: [PROMPT]");
  EXPECT_FALSE(dialog.refused());
  EXPECT_EQ(dialog.take_answer(), "pass word\n");
}

TEST(SudoDialog, HeldBackBeginningComesOutAtTheEnd) {
  SudoDialog dialog(kSecret);
  EXPECT_EQ(dialog.filter("text[rea"), "text");
  EXPECT_EQ(dialog.finish(), "[rea");
  EXPECT_EQ(dialog.finish(), "");
}

TEST(SudoDialog, OnceLetThroughNothingIsCutAnyMore) {
  SudoDialog dialog(kSecret);
  EXPECT_EQ(dialog.filter("[ready][prompt]"), "[prompt]");
  EXPECT_EQ(dialog.filter("[ready] [prom"), "[ready] [prom");
  EXPECT_EQ(dialog.take_answer(), "");
}

TEST(SudoSecret, MarkersAreNewEachTime) {
  const auto one = make_sudo_secret("p"), other = make_sudo_secret("p");
  EXPECT_NE(one.prompt_marker, other.prompt_marker);
  EXPECT_NE(one.ready_marker, other.ready_marker);
  EXPECT_NE(one.prompt_marker, one.ready_marker);
  EXPECT_EQ(one.password, "p");
  // sudo expands `%` in its prompt.
  EXPECT_EQ(one.prompt_marker.find('%'), std::string::npos);
}

}  // namespace
}  // namespace muster::ssh
