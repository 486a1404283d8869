#include "yaml/document.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::yaml {
namespace {

std::string error_of(std::string_view text, const ParseOptions& options = {}) {
  try {
    parse(text, "f.yaml", options);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::Code::usage);
    return error.what();
  }
  return "no error";
}

// `{a: [1, 2]}`: the shape of a tree, for comparing.
std::string shape(const Node& node) {
  if (node.is_scalar()) return node.plain ? node.text : "'" + node.text + "'";
  std::string text;
  for (const auto& item : node.items) text += (text.empty() ? "" : ", ") + shape(item);
  for (const auto& [key, value] : node.entries) text += (text.empty() ? "" : ", ") + key.text + ": " + shape(value);
  return node.is_mapping() ? "{" + text + "}" : "[" + text + "]";
}

std::string shape(std::string_view text) { return shape(parse(text, "f.yaml").root); }

TEST(Document, KeepsOrderQuotesAndPositions) {
  const Document document = parse("b: 1\na:\n  - 'x'\n  - {c: \"d\"}\n", "f.yaml");
  EXPECT_EQ(shape(document.root), "{b: 1, a: ['x', {c: 'd'}]}");
  const Node& list = document.root.entries[1].value;
  EXPECT_EQ(list.items[0].at.line, 3U);
  EXPECT_EQ(list.items[0].at.column, 5U);
  EXPECT_EQ(list.items[1].find("c")->at.line, 4U);
  EXPECT_EQ(list.find("c"), nullptr);
}

TEST(Document, EmptyTextIsNull) {
  for (const char* text : {"", "# only a comment\n", "---\n", "~\n"})
    EXPECT_TRUE(parse(text, "f").root.is_null()) << text;
  EXPECT_FALSE(parse("''", "f").root.is_null());
}

TEST(Document, LineEndsAndByteOrderMarkDoNotMatter) {
  EXPECT_EQ(shape("a: 1\r\nb:\r\n  - 2\r\n"), "{a: 1, b: [2]}");
  EXPECT_EQ(shape("\xEF\xBB\xBF"
                  "a: 1\n"),
            "{a: 1}");
  EXPECT_EQ(parse("a: 1\r\nb: 2\r\n", "f").root.entries[1].key.at.line, 2U);
}

TEST(Document, JsonIsYaml) {
  EXPECT_EQ(shape("{\"a\": [1, null],\n\t\"b\": \"x\\u00e9\"}"), "{a: [1, null], b: 'x\u00e9'}");
}

TEST(Document, AliasesRepeatAndMergeKeysMerge) {
  EXPECT_EQ(shape("a: &x {k: 1}\nb: *x\n"), "{a: {k: 1}, b: {k: 1}}");
  EXPECT_EQ(shape("a: &x {k: 1, l: 2}\nb:\n  k: 3\n  <<: *x\n"), "{a: {k: 1, l: 2}, b: {k: 3, l: 2}}");
  EXPECT_EQ(shape("a: &x {k: 1}\nb: &y {k: 2, m: 3}\nc:\n  <<: [*x, *y]\n"),
            "{a: {k: 1}, b: {k: 2, m: 3}, c: {k: 1, m: 3}}");
  EXPECT_EQ(shape("a: {'<<': 1}"), "{a: {<<: 1}}");
}

TEST(Document, MergeOfAnythingElseIsAnError) {
  EXPECT_EQ(error_of("a:\n  <<: 5\n"),
            "f.yaml:2:7: << merges mappings only; give it an alias of a mapping, or a list of such aliases");
  EXPECT_EQ(error_of("x: &x {a: 1}\ny: {<<: *x, <<: *x}\n"),
            "f.yaml:2:13: << is written twice in one mapping; write one with a list: << : [*a, *b]");
}

TEST(Document, DuplicateKeyNamesBothPlaces) {
  EXPECT_EQ(
      error_of("a:\n  k: 1\n  l: 2\n  k: 3\n"),
      "f.yaml:4:3: key 'k' is written twice in one mapping, first on line 2 column 3; merge the two or remove one");
  std::string many;
  for (int i = 0; i < 20; ++i) many += "k" + std::to_string(i) + ": 1\n";
  EXPECT_EQ(
      error_of(many + "k7: 1\n"),
      "f.yaml:21:1: key 'k7' is written twice in one mapping, first on line 8 column 1; merge the two or remove one");
}

TEST(Document, DuplicateKeyMayBeAWarningAndTheLastWins) {
  const Document document =
      parse("k: 1\nl: 2\nk: 3\n", "f.yaml", {.limits = {}, .duplicate_keys = DuplicateKeys::last_wins});
  EXPECT_EQ(shape(document.root), "{k: 3, l: 2}");
  ASSERT_EQ(document.warnings.size(), 1U);
  EXPECT_EQ(document.warnings[0],
            "f.yaml:3:1: key 'k' is written twice in one mapping, first on line 1 column 1; the last one is taken");
}

TEST(Document, TagsAreTextOrErrorsByName) {
  EXPECT_EQ(parse("!unsafe '{{ x }}'", "f").root.tag, "!unsafe");
  EXPECT_EQ(shape("!!str 5"), "5");
  EXPECT_EQ(error_of("a: !vault |\n  $ANSIBLE_VAULT;1.1\n"),
            "f.yaml:1:4: !vault values cannot be decrypted here; keep secrets in a key agent or in a plain file");
  EXPECT_EQ(error_of("a: !frobnicate x"),
            "f.yaml:1:4: unknown tag !frobnicate; leave it out, or put text that begins with '!' in quotes");
  EXPECT_EQ(error_of("a: !!set {x, y}"), "f.yaml:1:4: tag !!set cannot stand here; leave it out");
  EXPECT_EQ(error_of("!!map x"), "f.yaml:1:1: tag !!map cannot stand here; leave it out");
}

TEST(Document, SecondDocumentIsAnError) {
  EXPECT_EQ(error_of("a: 1\n---\nb: 2\n"),
            "f.yaml:2:1: a second document begins here; put each document in a file of its own");
}

TEST(Document, SyntaxErrorsHaveAPositionAndAHint) {
  EXPECT_EQ(error_of("a:\n\tb: 1\n"),
            "f.yaml:2:1: found character that cannot start any token while scanning for the next token; "
            "indent with blanks, not with a tab");
  EXPECT_EQ(
      error_of("a: @x\n"),
      "f.yaml:1:4: found character that cannot start any token while scanning for the next token; put a value that "
      "begins with '@' in quotes");
  EXPECT_EQ(error_of("a: b: c\n"),
            "f.yaml:1:5: mapping values are not allowed in this context; check the indentation, and put a value that "
            "contains ': ' in quotes");
  EXPECT_EQ(error_of("a: {{ x }}\n"),
            "f.yaml:1:5: a key must be text, not a list or mapping; put a value that begins with '{' or '[' in quotes");
  EXPECT_EQ(error_of("a: *nowhere\n"), "f.yaml:1:4: alias *nowhere has no anchor; write &nowhere before it");
  EXPECT_EQ(error_of("a: &a [*a]\n"), "f.yaml:1:8: alias *a stands inside what it names; write the value out");
}

TEST(Document, BytesThatAreNoTextAreErrors) {
  using namespace std::string_view_literals;
  EXPECT_EQ(error_of("a: 1\nb: \0\n"sv), "f.yaml:2:4: a NUL byte; write the file as UTF-8 text");
  EXPECT_EQ(error_of("\xFF\xFE"
                     "a"),
            "f.yaml:1:1: the file is UTF-16; write it as UTF-8");
  EXPECT_EQ(error_of("a: \xE9t\xE9\n"),
            "f.yaml:1:5: invalid trailing UTF-8 octet; write the file as UTF-8 without control characters");
  EXPECT_EQ(error_of("a: 1\nb: \x07\n"),
            "f.yaml:2:4: control characters are not allowed; write the file as UTF-8 without control characters");
}

TEST(Document, BombsRunIntoTheLimits) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c <= 'k'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 9; ++i) bomb += (i == 0 ? "*" : ", *") + std::string(1, static_cast<char>(c - 1));
    bomb += "]\n";
  }
  EXPECT_EQ(error_of(bomb).substr(7),
            "7:12: the document has more than 2000000 nodes, those that aliases repeat "
            "included; split it, or use fewer aliases");
  const std::string deep(65, '[');
  EXPECT_EQ(error_of(deep), "f.yaml:1:65: nested deeper than 64 levels; write it flatter");
  EXPECT_EQ(error_of("abcdef", {.limits = {.max_bytes = 5}}),
            "f.yaml: larger than the limit of 5 bytes; split the file");
}

TEST(Document, AliasesCountTowardsTheDepth) {
  const ParseOptions options{.limits = {.max_bytes = 1000, .max_depth = 4, .max_nodes = 100}};
  EXPECT_EQ(error_of("[&a [x], [*a]]", options), "no error");
  EXPECT_EQ(error_of("[&a [x], [[*a]]]", options), "f.yaml:1:12: nested deeper than 4 levels; write it flatter");
}

TEST(Document, MissingFileIsAnErrorByName) {
  try {
    parse_file("/nowhere/f.yaml");
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::Code::usage);
    EXPECT_STREQ(error.what(), "/nowhere/f.yaml: No such file or directory");
  }
}

}  // namespace
}  // namespace muster::yaml
