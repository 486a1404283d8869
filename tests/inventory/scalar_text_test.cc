#include "inventory/scalar_text.h"

#include <random>

#include <gtest/gtest.h>

#include "tests/inventory/support.h"
#include "yaml/scalar.h"

namespace muster::inventory {
namespace {

std::string block(std::string_view text) { return scalar_text(text, ScalarStyle::block); }

// What both schemas read as text, or how they do not.
std::string read_back(const yaml::Node& node) {
  for (const auto schema : {yaml::Schema::core_1_2, yaml::Schema::yaml_1_1}) {
    const yaml::Scalar scalar = yaml::resolve(node, schema);
    if (!std::holds_alternative<std::string>(scalar)) return "no text";
    if (std::get<std::string>(scalar) != node.text) return "another text";
  }
  return node.text;
}

void expect_reads_as_itself(const std::string& text) {
  for (const auto style : {ScalarStyle::block, ScalarStyle::flow, ScalarStyle::json}) {
    const std::string as_value = style == ScalarStyle::block ? "k: " + scalar_text(text, style) + "\n"
                                                             : "{k: " + scalar_text(text, style) + ", l: 1}\n";
    EXPECT_EQ(read_back(yaml::parse(as_value, "f").root.entries.at(0).value), text) << as_value;
    const std::string as_item = "- " + scalar_text(text, style) + "\n";
    EXPECT_EQ(read_back(yaml::parse(as_item, "f").root.items.at(0)), text) << as_item;
    const std::string as_key =
        style == ScalarStyle::block ? key_text(text, style) + ": 1\n" : "{" + key_text(text, style) + ": 1}\n";
    if (text.size() < 1000) {
      EXPECT_EQ(read_back(yaml::parse(as_key, "f").root.entries.at(0).key), text) << as_key;
    }
  }
}

TEST(ScalarText, PlainWhereItReadsTheSame) {
  for (const char* text :
       {"web01", "192.0.2.1", "qemu+ssh://root@kvm1/system", "ssh-ed25519 AAAAC3Nz+/= me", "/root/.ssh/id_ed25519",
        "~/.ssh/id", "_x", "a'b", "b\"c", "a#b", "a:b", "1.2.3", "SHA256:abc+/", "\u00fcber", "v1.0"})
    EXPECT_EQ(block(text), text);
  EXPECT_EQ(scalar_text("a:b", ScalarStyle::flow), "'a:b'");
  EXPECT_EQ(scalar_text("a,b", ScalarStyle::flow), "'a,b'");
  EXPECT_EQ(key_text("fe80::1", ScalarStyle::block), "'fe80::1'");
}

TEST(ScalarText, QuotedWhereItWouldReadAsSomethingElse) {
  for (const std::string text :
       {"",      "yes",  "No",  "on",    "true", "~",       "null", "1e3",   "1",          "-5",
        "0x1f",  "0o17", "017", "1_000", "1.5",  ".5",      ".inf", "22:22", "2026-01-31", "2026-01-31T10:00:00",
        "@x",    "*x",   "&x",  "!x",    "%x",   "`x",      "- x",  "-x",    "? x",        "[x",
        "{x",    "|",    ">",   "#x",    "x #y", "x: y",    "x:",   " x",    "x ",         "'x'",
        "\"x\"", "<<",   "=",   "---",   "...",  "{{ x }}", ",x"})
    EXPECT_EQ(block(text), "'" + (text == "'x'" ? "''x''" : text) + "'");
}

TEST(ScalarText, EscapedWhereALineCannotHaveIt) {
  EXPECT_EQ(block("a\nb"), "\"a\\nb\"");
  EXPECT_EQ(block("a\tb\r\\\""), "\"a\\tb\\r\\\\\\\"\"");
  EXPECT_EQ(block("a\x01\x7F\u0085\u2028\uFEFF"), "\"a\\u0001\\u007F\\u0085\\u2028\\uFEFF\"");
  EXPECT_EQ(scalar_text("a\u00fc", ScalarStyle::json), "\"a\u00fc\"");
}

TEST(ScalarText, WhatIsNoUtf8IsAnError) {
  for (const char* text :
       {"\xFF", "\xC3", "a\xE9t\xE9", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE0\x80\x80"})
    EXPECT_NE(usage_error([&] { block(text); }), "no error") << text;
  EXPECT_EQ(usage_error([] { block("a\n\xFF"); }),
            "'a?"
            "?' is not UTF-8 and cannot stand in an inventory; write it as UTF-8");
}

TEST(ScalarText, ReadsAsItself) {
  for (const char* text : {"",          "web01",  "yes",    "1e3",        "0x1f",  "ssh-ed25519 AAAA comment # x",
                           "@",         "*a",     "&a",     "!a",         "a: b",  "a:",
                           ": a",       "a #b",   "# a",    "-",          "- a",   "?",
                           "? a",       "|",      ">",      "%a",         "a\nb",  "\n",
                           "\t",        " ",      "  a  ",  "'",          "''",    "\"",
                           "\\",        "\\n",    "{a}",    "[a]",        "a, b",  "a]",
                           "\u00e4",    "\u0085", "\u2028", "\U0001F600", "...",   "---",
                           "--- a",     "<<",     "=",      "0777",       "12:30", "~",
                           "~a",        ".",      "..",     "+",          "+1",    "1.",
                           "1e",        "0x",     "0b1",    "true",       "TRUE",  "y",
                           "2026-01-31"})
    expect_reads_as_itself(text);
}

TEST(ScalarText, AnythingReadsAsItself) {
  static const std::vector<std::string> kPieces = {
      "a", "1", "-",  ":", " ",    "#",    "'",      "\"",     "\\",     "\n",     "\t",         "{",
      "}", "[", "]",  ",", "&",    "*",    "!",      "|",      ">",      "%",      "@",          "`",
      "?", ".", "0x", "e", "+",    "~",    "_",      "yes",    "\u00e4", "\u2028", "\U0001F600", "\r",
      "=", "<", "/",  "$", "null", "\x01", "\u0085", "\uFEFF", "on"};
  std::mt19937 random(20260101);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (auto length = random() % 6; length-- > 0;) text += kPieces[random() % kPieces.size()];
    expect_reads_as_itself(text);
  }
}

}  // namespace
}  // namespace muster::inventory
