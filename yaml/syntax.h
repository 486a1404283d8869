// What stands where in a YAML text: its nodes with their bytes, aliases and merge keys left as they are written. For
// edits that leave every other byte alone; what a text means is document.h's. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "yaml/document.h"

namespace muster::yaml {

struct SyntaxNode {
  enum class Kind : std::uint8_t { scalar, sequence, mapping, alias };
  Kind kind = Kind::scalar;
  bool plain = false;     // scalars: without quotes, on the line
  bool literal = false;   // scalars: as a block, after `|` or `>`
  bool flow = false;      // sequences and mappings: in brackets
  bool has_tag = false;   // written, also where it says nothing new
  Position at;            // as Node::at
  std::size_t begin = 0;  // offset of the first byte, that of an anchor or tag if there is one
  std::size_t end = 0;    // offset behind the last: of the last node in a block, and never a line break's, except where
                          // `|+` keeps it. A scalar of which nothing is written is empty: behind its key's colon in a
                          // block, before the next `,` or `}` in brackets
  std::string anchor;     // of an alias: what it names
  std::string text;       // scalars only
  std::vector<SyntaxNode> children;  // of a sequence its items, of a mapping keys and values in turn

  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_mapping() const { return kind == Kind::mapping; }
  bool is_sequence() const { return kind == Kind::sequence; }
  bool is_alias() const { return kind == Kind::alias; }
};

// The root of the first document in `text`; for an empty one a scalar without bytes. The same texts are errors as for
// parse(), with the same words, except for what only the meaning makes wrong: tags, duplicate keys, aliases of nothing.
SyntaxNode parse_syntax(std::string_view text, const std::string& file, const Limits& limits = {});

}  // namespace muster::yaml
