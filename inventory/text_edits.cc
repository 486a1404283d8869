#include "inventory/text_edits.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <tuple>

namespace muster::inventory {

std::size_t line_begin(std::string_view text, std::size_t offset) {
  if (offset == 0) return 0;
  const auto before = text.rfind('\n', offset - 1);
  return before == std::string_view::npos ? 0 : before + 1;
}

std::size_t next_line(std::string_view text, std::size_t offset) {
  const auto end = text.find('\n', offset);
  return end == std::string_view::npos ? text.size() : end + 1;
}

std::size_t line_end(std::string_view text, std::size_t offset) {
  const std::size_t end = std::min(text.find('\n', offset), text.size());
  return end > offset && text[end - 1] == '\r' ? end - 1 : end;
}

// Looks at the blanks only: the line may be a whole file of JSON.
std::optional<std::string> indentation_before(std::string_view text, std::size_t offset) {
  std::size_t begin = offset;
  while (begin > 0 && text[begin - 1] == ' ') --begin;
  const bool begins_line = begin == 0 || text[begin - 1] == '\n' || text.substr(0, begin) == "\xEF\xBB\xBF";
  if (!begins_line) return std::nullopt;
  return std::string(text.substr(begin, offset - begin));
}

std::size_t line_after_comments(std::string_view text, std::size_t offset, std::size_t columns) {
  std::size_t after = next_line(text, offset);
  for (std::size_t line = after; line < text.size();) {
    const std::size_t first = text.find_first_not_of(" \t", line);
    if (first == std::string_view::npos) break;
    const bool blank = text[first] == '\n' || text[first] == '\r';
    if (!blank && (text[first] != '#' || first - line < columns)) break;
    line = next_line(text, first);
    if (!blank) after = line;
  }
  return after;
}

TextEdits::TextEdits(std::string_view text) : text_(text) {
  const auto end = text.find('\n');
  line_break_ = end != std::string_view::npos && end > 0 && text[end - 1] == '\r' ? "\r\n" : "\n";
}

void TextEdits::replace(std::size_t begin, std::size_t end, std::string with) {
  edits_.push_back(
      {.begin = begin, .end = end, .with = std::move(with), .columns = std::nullopt, .removes_lines = false});
}

void TextEdits::insert_lines(std::size_t offset, std::string lines, std::size_t columns) {
  edits_.push_back(
      {.begin = offset, .end = offset, .with = std::move(lines), .columns = columns, .removes_lines = false});
}

void TextEdits::remove_lines(std::size_t begin, std::size_t end) {
  edits_.push_back({.begin = begin, .end = end, .with = {}, .columns = std::nullopt, .removes_lines = true});
}

std::vector<const TextEdits::Edit*> TextEdits::in_order() const {
  std::vector<const Edit*> order;
  order.reserve(edits_.size());
  for (const auto& edit : edits_) order.push_back(&edit);
  const auto key = [](const Edit& edit) {
    constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
    return std::tuple(edit.begin, edit.columns ? kMost - *edit.columns : 0, edit.end);
  };
  std::stable_sort(order.begin(), order.end(), [&](const Edit* a, const Edit* b) { return key(*a) < key(*b); });
  return order;
}

std::string TextEdits::apply() const {
  std::string result;
  std::size_t done = 0;
  bool changes_last_line = false;
  for (const Edit* edit : in_order()) {
    if (edit->begin < done) throw std::logic_error("edits of a text that overlap");
    result.append(text_.substr(done, edit->begin - done));
    done = edit->end;
    const bool behind_last_line = edit->columns && edit->begin == text_.size() && !ends_in_line_break();
    if (behind_last_line && !changes_last_line) result += line_break_;
    changes_last_line |=
        behind_last_line || (edit->removes_lines && edit->end == text_.size() && !ends_in_line_break());
    result += edit->with;
  }
  result.append(text_.substr(done));
  if (changes_last_line && result.ends_with(line_break_)) result.erase(result.size() - line_break_.size());
  return result;
}

}  // namespace muster::inventory
