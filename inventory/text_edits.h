// Changes to a text, gathered first and applied together, that leave every byte alone that they do not name; and what
// edits of indented text ask about its lines. Internal to inventory/. Not thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::inventory {

// The first byte of the line that `offset` is in.
std::size_t line_begin(std::string_view text, std::size_t offset);
// The first byte of the line after the one that `offset` is in, or the end of the text.
std::size_t next_line(std::string_view text, std::size_t offset);
// Where the line that `offset` is in ends, before its line break.
std::size_t line_end(std::string_view text, std::size_t offset);
// What stands before `offset` on its line, if these are blanks only.
std::optional<std::string> indentation_before(std::string_view text, std::size_t offset);
// The line after the one that `offset` is in, and after the comments that follow and are indented by `columns` or more.
std::size_t line_after_comments(std::string_view text, std::size_t offset, std::size_t columns);

class TextEdits {
 public:
  // `text` must live as long as this.
  explicit TextEdits(std::string_view text);

  std::string_view text() const { return text_; }
  // As the first line ends.
  const std::string& line_break() const { return line_break_; }

  // Edits must not overlap.
  void replace(std::size_t begin, std::size_t end, std::string with);
  void insert(std::size_t offset, std::string what) { replace(offset, offset, std::move(what)); }
  // Whole lines before the one that begins at `offset`. Of several at one place the deeper indented come first. A text
  // whose last line has no line break has none afterwards either.
  void insert_lines(std::size_t offset, std::string lines, std::size_t columns);

  // Whole lines. A text whose last line has no line break has none afterwards either.
  void remove_lines(std::size_t begin, std::size_t end);

  std::string apply() const;

 private:
  struct Edit {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::string with;
    std::optional<std::size_t> columns;  // of whole lines that are inserted
    bool removes_lines = false;
  };
  std::vector<const Edit*> in_order() const;
  bool ends_in_line_break() const { return text_.empty() || text_.back() == '\n'; }

  std::string_view text_;
  std::string line_break_;
  std::vector<Edit> edits_;
};

}  // namespace muster::inventory
