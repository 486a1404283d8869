#include "cli/terminal_text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "cli/json_lines.h"

namespace muster::cli {
namespace {

TEST(Visible, PlainTextTabsNewlinesAndOtherScriptsStay) {
  for (const std::string text : {"", "plain ~!", "a\tb\n", "größe", "日本語", "\U0001F600", "\u00A0"})
    EXPECT_EQ(visible(text), text);
}

TEST(Visible, ControlCharactersAreShown) {
  EXPECT_EQ(visible("\x1b[31mred\x1b[0m"), "^[[31mred^[[0m");
  EXPECT_EQ(visible("a\rb\bc\a"), "a^Mb^Hc^G");
  EXPECT_EQ(visible(std::string("\0\x1f\x7f", 3)), "^@^_^?");
}

TEST(Visible, C1ControlsAreShownInBothForms) {
  EXPECT_EQ(visible("\u009b31m"), "<U+009B>31m");
  EXPECT_EQ(visible("\u0080\u009f\u00a1"), "<U+0080><U+009F>\u00a1");
  EXPECT_EQ(visible("\x9b"
                    "31m"),
            "<9B>31m");
}

TEST(Visible, WhatReordersOrHidesTextIsShown) {
  EXPECT_EQ(visible("a\u202Eb"), "a<U+202E>b");
  for (const auto* text : {"\u061C", "\u200E", "\u200F", "\u202A", "\u2066", "\u2069", "\u2028", "\u2029", "\uFEFF"})
    EXPECT_TRUE(visible(text).starts_with("<U+")) << text;
}

TEST(Visible, WhatIsNoUtf8IsShownByteByByte) {
  EXPECT_EQ(visible("a\xffz"), "a<FF>z");
  EXPECT_EQ(visible("\xc0\x80"), "<C0><80>");                  // overlong
  EXPECT_EQ(visible("\xe0\x80\xaf"), "<E0><80><AF>");          // overlong
  EXPECT_EQ(visible("\xf0\x80\x80\xaf"), "<F0><80><80><AF>");  // overlong
  EXPECT_EQ(visible("\xed\xa0\x80"), "<ED><A0><80>");          // a surrogate
  EXPECT_EQ(visible("\xf4\x90\x80\x80"), "<F4><90><80><80>");  // beyond U+10FFFF
  EXPECT_EQ(visible("\xe2\x82"), "<E2><82>");                  // cut
  EXPECT_EQ(visible("\xe2\x82z"), "<E2><82>z");
  EXPECT_EQ(visible("\xe2\x1b["), "<E2>^[[");  // a lead byte must not swallow an escape
}

TEST(DecodeUtf8, KnowsTheEdgesOfEachLength) {
  const std::vector<std::pair<std::string, char32_t>> edges{{"\x7f", 0x7F},
                                                            {"\xc2\x80", 0x80},
                                                            {"\xdf\xbf", 0x7FF},
                                                            {"\xe0\xa0\x80", 0x800},
                                                            {"\xed\x9f\xbf", 0xD7FF},
                                                            {"\xee\x80\x80", 0xE000},
                                                            {"\xef\xbf\xbf", 0xFFFF},
                                                            {"\xf0\x90\x80\x80", 0x10000},
                                                            {"\xf4\x8f\xbf\xbf", 0x10FFFF}};
  for (const auto& [bytes, value] : edges) {
    const auto point = decode_utf8(bytes + "rest");
    EXPECT_EQ(point.value, value);
    EXPECT_EQ(point.length, bytes.size());
    EXPECT_TRUE(is_utf8(bytes));
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) EXPECT_FALSE(is_utf8(bytes.substr(0, cut)));
  }
  EXPECT_EQ(decode_utf8("").length, 0U);
  EXPECT_TRUE(is_utf8(""));
}

TEST(Utf8Boundary, NeverFallsInsideASequence) {
  EXPECT_EQ(utf8_boundary(""), 0U);
  EXPECT_EQ(utf8_boundary("abc"), 3U);
  const std::string text = "a\u00e9\u20ac\U0001F600";  // 1, 2, 3 and 4 bytes
  const std::vector<std::size_t> boundaries{0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    EXPECT_EQ(utf8_boundary(std::string_view(text).substr(0, cut)), boundaries[cut]) << cut;
  // What can never become a sequence is not held back.
  EXPECT_EQ(utf8_boundary("a\xff"), 2U);
  EXPECT_EQ(utf8_boundary("a\x80\x80\x80\x80"), 5U);
}

TEST(JsonEscaped, ReadsBackAsItWas) {
  std::string all;
  for (char c = 0; c < 0x7f; ++c) all += c;
  all += "\x7f größe 日本語 \U0001F600 \u2028 </script>";
  const std::string line = "{\"text\":\"" + json_escaped(all) + "\"}";
  EXPECT_EQ(nlohmann::json::parse(line)["text"].get<std::string>(), all);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
}

TEST(JsonEscaped, MayBeCutAnywhere) {
  const std::string text = "a\"\\\n\u20ac\U0001F600z";
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    EXPECT_EQ(json_escaped(text.substr(0, cut)) + json_escaped(text.substr(cut)), json_escaped(text)) << cut;
}

TEST(Base64Stream, PiecesOfAnySizeMakeOneText) {
  std::string bytes;
  for (int i = 0; i < 50; ++i) bytes += static_cast<char>(i * 37);
  for (std::size_t size = 1; size <= 8; ++size) {
    for (std::size_t length = 0; length <= bytes.size(); ++length) {
      Base64Stream stream;
      std::string text;
      for (std::size_t at = 0; at < length; at += size)
        text += stream.add(bytes.substr(at, std::min(size, length - at)));
      text += stream.finish();
      EXPECT_EQ(text, base::base64_encode(bytes.substr(0, length))) << size << " " << length;
    }
  }
}

bool checked_in_two(const std::string& text, std::size_t cut) {
  Utf8Check check;
  check.add(text.substr(0, cut));
  check.add(text.substr(cut));
  return check.valid();
}

TEST(Utf8Check, IsTheSameHoweverTheStreamIsCut) {
  const std::string good = "a\u00e9\u20ac\U0001F600z";
  for (std::size_t cut = 0; cut <= good.size(); ++cut) EXPECT_TRUE(checked_in_two(good, cut)) << cut;
  for (const std::string bad :
       {"\xff", "a\xc3", "\xe2\x82", "\xe2\x82z", "\xed\xa0\x80", "\xc0\x80", "\x80", "\xf0\x9f\x98"})
    for (std::size_t cut = 0; cut <= bad.size(); ++cut) EXPECT_FALSE(checked_in_two(bad, cut)) << cut;
  Utf8Check check;
  EXPECT_TRUE(check.valid());
  check.add("\xff");
  check.add("good again");
  EXPECT_FALSE(check.valid());
}

}  // namespace
}  // namespace muster::cli
