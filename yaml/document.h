// A YAML document as a tree whose every node knows its line and column. Built from libyaml's events, because a node
// tree made by a library hides duplicate keys and has no limits. Not a general YAML API: one document, no emitting,
// scalar keys only. Pure functions; a Document may be read from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace muster::yaml {

// 1-based, as editors count. Line 0: no position (an empty document).
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

// Which bad documents are stopped, and when. Counted over materialised nodes, so that aliases of aliases (a "YAML
// bomb") run into the limit like anything else. A node costs about 140 bytes.
struct Limits {
  std::size_t max_bytes = 16U << 20;
  std::size_t max_depth = 64;
  std::size_t max_nodes = 2'000'000;
};

struct Entry;

struct Node {
  enum class Kind : std::uint8_t { scalar, sequence, mapping };
  Kind kind = Kind::scalar;
  bool plain = true;           // scalars: written without quotes, so that its type is resolved from its text
  Position at;                 // for what an alias or `<<` brought in: where it was written, not where it is used
  std::string tag;             // as resolved by the parser; empty where none was written
  std::string text;            // scalars only
  std::vector<Node> items;     // sequences
  std::vector<Entry> entries;  // mappings: what `<<` brought in, then as written

  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_mapping() const { return kind == Kind::mapping; }
  bool is_sequence() const { return kind == Kind::sequence; }
  // Empty plain scalar, `~`, `null`: what an unfilled key reads as.
  bool is_null() const;
  // The value of the entry whose key is the scalar `key`, or nullptr. Linear.
  const Node* find(std::string_view key) const;
};

struct Entry {
  Node key;  // a scalar
  Node value;
};

enum class DuplicateKeys { are_errors, last_wins };

struct ParseOptions {
  Limits limits;
  DuplicateKeys duplicate_keys = DuplicateKeys::are_errors;
};

struct Document {
  std::string file;  // as named in messages
  Node root;
  std::vector<std::string> warnings;  // `file:line:column: text`, e.g. duplicate keys where the last wins
};

// Parses the one document in `text`, which is UTF-8. An empty one has a null root.
// `!unsafe` marks text; `!vault` and other local tags are errors, as is every other tag that the core schema has not.
// Throws base::Error{usage} as `file:line:column: what is wrong; what to write`.
Document parse(std::string_view text, const std::string& file, const ParseOptions& options = {});
// The same from a file. Throws base::Error{usage}, also when the file is missing or too large.
Document parse_file(const std::string& path, const ParseOptions& options = {});

// `file:line:column: text`, or `file: text` without a position.
std::string located(const std::string& file, Position at, std::string_view text);

}  // namespace muster::yaml
