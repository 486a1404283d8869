#include "base/text.h"

#include <gtest/gtest.h>

namespace muster::base {
namespace {

using Strings = std::vector<std::string>;

TEST(Text, LinesEndWithANewlineOrTheText) {
  EXPECT_EQ(lines_of("a\n\nb"), (Strings{"a", "", "b"}));
  EXPECT_EQ(lines_of("a\n"), Strings{"a"});
  EXPECT_EQ(lines_of("\n"), Strings{""});
  EXPECT_TRUE(lines_of("").empty());
}

TEST(Text, WordsStandBetweenBlanks) {
  EXPECT_EQ(words_of(" a\tbc \r\n d"), (Strings{"a", "bc", "d"}));
  EXPECT_TRUE(words_of(" \n").empty());
  EXPECT_TRUE(words_of("").empty());
}

TEST(Text, LowerCaseIsThatOfAscii) { EXPECT_EQ(lower_case("Web-01.ORG \xc3\x84"), "web-01.org \xc3\x84"); }

TEST(Text, CharactersAreNotCut) {
  const std::string text = "a\xc3\xa4z";
  EXPECT_EQ(whole_characters(text, 4), text);
  EXPECT_EQ(whole_characters(text, 3), "a\xc3\xa4");
  EXPECT_EQ(whole_characters(text, 2), "a");
  EXPECT_EQ(whole_characters("\xa4\xa4", 1), "");
  EXPECT_EQ(last_whole_characters(text, 3), "\xc3\xa4z");
  EXPECT_EQ(last_whole_characters(text, 2), "z");
  EXPECT_EQ(last_whole_characters("\xa4\xa4", 1), "");
}

}  // namespace
}  // namespace muster::base
