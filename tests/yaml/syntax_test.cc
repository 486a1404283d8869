#include "yaml/syntax.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::yaml {
namespace {

// Every node with the bytes it is written in: `(a: <1>)`.
std::string written(std::string_view text, const SyntaxNode& node) {
  if (node.children.empty()) return "<" + std::string(text.substr(node.begin, node.end - node.begin)) + ">";
  std::string children;
  for (const auto& child : node.children) children += (children.empty() ? "" : " ") + written(text, child);
  const char* brackets = node.is_mapping() ? "()" : "[]";
  return brackets[0] + children + brackets[1];
}

std::string written(std::string_view text) { return written(text, parse_syntax(text, "f.yaml")); }

std::string bytes_of(std::string_view text, const SyntaxNode& node) {
  return std::string(text.substr(node.begin, node.end - node.begin));
}

TEST(Syntax, ScalarsHaveTheirBytesQuotesIncluded) {
  EXPECT_EQ(written("a: 1\n'b c': \"d\\n\"  # comment\n"), "(<a> <1> <'b c'> <\"d\\n\">)");
  EXPECT_EQ(written("a: two\n  lines # c\nb: 'two\n  lines'\n"), "(<a> <two\n  lines> <b> <'two\n  lines'>)");
}

TEST(Syntax, AnchorsAndTagsBelongToTheirNode) {
  EXPECT_EQ(written("a: &x !!str 5\nb: *x\n<<: *x\n"), "(<a> <&x !!str 5> <b> <*x> <<<> <*x>)");
  const SyntaxNode root = parse_syntax("a: &x !!str 5\nb: *x\n", "f");
  EXPECT_EQ(root.children[1].anchor, "x");
  EXPECT_TRUE(root.children[1].has_tag);
  EXPECT_TRUE(root.children[3].is_alias());
  EXPECT_EQ(root.children[3].anchor, "x");
}

TEST(Syntax, WhatIsNotWrittenIsBehindItsColon) {
  const std::string_view text = "a:   # c\nb: {c: , d}\n";
  const SyntaxNode root = parse_syntax(text, "f");
  EXPECT_EQ(root.children[1].begin, 2U);
  EXPECT_EQ(root.children[1].end, 2U);
  const SyntaxNode& flow = root.children[3];
  EXPECT_EQ(text.substr(flow.children[1].begin, 1), ",");
  EXPECT_EQ(text.substr(flow.children[3].begin, 1), "}");
}

TEST(Syntax, BracketsAreIncludedAndABlockEndsWithItsLastNode) {
  const std::string_view text = "a: [1, {b: 2} ]  # c\nc:\n  - d: 3\n    e: 4\n\n# end\nf:\n";
  const SyntaxNode root = parse_syntax(text, "f");
  EXPECT_EQ(bytes_of(text, root.children[1]), "[1, {b: 2} ]");
  EXPECT_TRUE(root.children[1].flow);
  EXPECT_EQ(bytes_of(text, root.children[1].children[1]), "{b: 2}");
  EXPECT_EQ(bytes_of(text, root.children[3]), "- d: 3\n    e: 4");
  EXPECT_FALSE(root.children[3].flow);
  EXPECT_EQ(root.end, text.size() - 1);
}

TEST(Syntax, BlockScalarsEndWithTheirLastLine) {
  struct Case {
    const char* text;
    const char* value;
  };
  for (const auto& [text, value] :
       {Case{"a: |\n  x\n  y\n\nb:\n", "|\n  x\n  y"}, Case{"a: >-  # c +\n  x\n\n\nb:\n", ">-  # c +\n  x"},
        Case{"a: |+\n  x\n\nb:\n", "|+\n  x\n"}, Case{"a: |+\r\n  x\r\n\r\nb:\n", "|+\r\n  x\r\n"},
        Case{"a: |\n  # no comment\nb:\n", "|\n  # no comment"}, Case{"a: |\n  x", "|\n  x"}}) {
    const SyntaxNode root = parse_syntax(text, "f");
    EXPECT_TRUE(root.children[1].literal);
    EXPECT_EQ(bytes_of(text, root.children[1]), value);
  }
}

TEST(Syntax, OffsetsAreBytesWhereCharactersHaveSeveral) {
  EXPECT_EQ(written("\u00e4\u20ac: '\U0001F600'\r\nb: {\u00fc: , c: 1}\r\n"),
            "(<\u00e4\u20ac> <'\U0001F600'> <b> (<\u00fc> <> <c> <1>))");
  EXPECT_EQ(written("\xEF\xBB\xBF\u00e4: 1\n"), "(<\u00e4> <1>)");
  EXPECT_EQ(written("# \u2028# \u0085# x\na: 1\n"), "(<a> <1>)");
}

TEST(Syntax, PositionsAreThoseOfTheDocument) {
  const char* text = "a:\n  b: {c: [1, 2]}\n";
  const SyntaxNode root = parse_syntax(text, "f");
  const Document document = parse(text, "f");
  const Position there = document.root.find("a")->find("b")->find("c")->items[1].at;
  const Position here = root.children[1].children[1].children[1].children[1].at;
  EXPECT_EQ(here.line, there.line);
  EXPECT_EQ(here.column, there.column);
}

TEST(Syntax, EmptyTextHasNoBytes) {
  for (const char* text : {"", "# only a comment\n", "---\n"}) EXPECT_EQ(written(text), "<>") << text;
}

TEST(Syntax, SameErrorsAsForDocuments) {
  for (const std::string text : {"a: 1\n---\nb: 2\n", "a:\n\tb: 1\n", "a: @x\n", "\xFF\xFE", "a: \xE9t\xE9\n"}) {
    std::string there;
    try {
      parse(text, "f.yaml");
    } catch (const base::Error& error) {
      there = error.what();
    }
    try {
      parse_syntax(text, "f.yaml");
      ADD_FAILURE() << text;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.what(), there);
    }
  }
  EXPECT_THROW(parse_syntax(std::string(100, '[') + std::string(100, ']'), "f"), base::Error);
  EXPECT_THROW(parse_syntax("[1, 2, 3, 4]", "f", {.max_nodes = 4}), base::Error);
}

}  // namespace
}  // namespace muster::yaml
