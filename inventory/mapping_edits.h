// Edits of the mappings in a YAML text, in the style they are written in: entries added, values set, entries removed.
// Knows nothing of hosts and groups. What it cannot edit without touching more is an error that says what to write by
// hand. Internal to inventory/. Not thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inventory/entry_text.h"
#include "inventory/text_edits.h"
#include "yaml/syntax.h"

namespace muster::inventory {

// One entry of a mapping as written.
struct Place {
  const yaml::SyntaxNode* mapping = nullptr;
  std::size_t index = 0;

  const yaml::SyntaxNode& key() const { return mapping->children[2 * index]; }
  const yaml::SyntaxNode& value() const { return mapping->children[2 * index + 1]; }
};

class MappingEdits {
 public:
  // All three must live as long as this; `root` is the syntax of `text`.
  MappingEdits(std::string_view text, const std::string& file, const yaml::SyntaxNode& root);

  // Behind what the entry's value has already; a value that is null becomes a mapping. Once for each place.
  void add_below(const Place& place, const std::vector<NewEntry>& entries);
  // The same for the mapping at the top of the file, or for a file without one.
  void add_at_top(const std::vector<NewEntry>& entries);
  // A list of lines is changed item by item, anything else as a whole.
  void set_value(const Place& place, const EntryValue& value);
  // Entries of one mapping, by index, ascending. Once for each mapping.
  void remove(const yaml::SyntaxNode& mapping, const std::vector<std::size_t>& entries);

  std::string apply() const { return edits_.apply(); }

 private:
  // Throws with `fix` appended, which says what to write instead.
  [[noreturn]] void refuse(const yaml::SyntaxNode& node, const std::string& why, const std::string& fix) const;

  BlockStyle style_at(const std::string& indentation) const;
  std::string indentation_of(const yaml::SyntaxNode& node, const std::string& fix) const;
  // Outside of the scalars that `nodes` are made of.
  bool has_comment(std::size_t begin, std::size_t end, std::span<const yaml::SyntaxNode> nodes) const;
  std::string_view between(std::size_t begin, std::size_t end) const {
    return edits_.text().substr(begin, end - begin);
  }

  void append_lines(const yaml::SyntaxNode& mapping, const std::vector<NewEntry>& entries, const std::string& fix);
  void fill_null(const Place& place, const std::vector<NewEntry>& entries, const std::string& fix);
  std::string blank_line_between_last() const;
  void refuse_comments(const Place& place, std::size_t begin, const std::string& fix) const;
  // Lines below the key in place of a value on the key's line.
  void put_below_key(const Place& place, const std::string& lines, const std::string& indentation);
  void set_inline(const Place& place, const std::string& written, const std::string& fix);
  void set_list(const Place& place, const std::vector<std::string>& items, const std::string& fix);
  void set_items(const yaml::SyntaxNode& list, const std::vector<std::string>& items, const std::string& fix);
  void remove_lines(const yaml::SyntaxNode& first, const yaml::SyntaxNode& last, const std::string& fix);

  // Between brackets, in flow_edits.cc.
  void append_in_brackets(const yaml::SyntaxNode& mapping, const std::vector<NewEntry>& entries);
  void remove_in_brackets(const yaml::SyntaxNode& mapping, const std::vector<std::size_t>& entries,
                          const std::string& fix);
  std::size_t end_in_brackets(const Place& place) const;
  std::size_t behind_colon(const Place& place) const;
  ScalarStyle style_in(const yaml::SyntaxNode& mapping) const;

  const std::string& file_;
  const yaml::SyntaxNode& root_;
  std::size_t step_;
  TextEdits edits_;
};

}  // namespace muster::inventory
