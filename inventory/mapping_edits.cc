#include "inventory/mapping_edits.h"

#include <algorithm>

#include "base/error.h"

namespace muster::inventory {
namespace {

using yaml::SyntaxNode;

constexpr std::size_t kUsualStep = 2;

// Blanks a level, as the first nested mapping has them; 0 where there is none.
std::size_t step_of(const SyntaxNode& node) {
  if (node.flow) return 0;
  for (const auto& child : node.children) {
    const bool nested = node.is_mapping() && child.is_mapping() && !child.flow && !child.children.empty();
    const std::uint32_t column = nested ? child.children.front().at.column : 0;
    if (column > node.children.front().at.column) return column - node.children.front().at.column;
    if (const std::size_t below = step_of(child); below != 0) return below;
  }
  return 0;
}

bool is_empty(const SyntaxNode& node) { return node.is_scalar() && node.begin == node.end; }

bool is_null(const SyntaxNode& node) {
  if (!node.is_scalar() || !node.plain || node.has_tag || !node.anchor.empty()) return false;
  yaml::Node scalar;
  scalar.text = node.text;
  return scalar.is_null();
}

void add_leaves(const SyntaxNode& node, std::vector<const SyntaxNode*>& leaves) {
  if (node.children.empty()) leaves.push_back(&node);
  for (const auto& child : node.children) add_leaves(child, leaves);
}

std::string by_hand(const std::vector<NewEntry>& entries) {
  constexpr std::size_t kShown = 3;
  const auto shown = static_cast<std::ptrdiff_t>(std::min(entries.size(), kShown));
  const std::string text = "write by hand: " + flow_text({entries.begin(), entries.begin() + shown}, ScalarStyle::flow);
  return entries.size() > kShown ? text + " and " + std::to_string(entries.size() - kShown) + " more" : text;
}

}  // namespace

MappingEdits::MappingEdits(std::string_view text, const std::string& file, const SyntaxNode& root)
    : file_(file), root_(root), step_(step_of(root)), edits_(text) {
  if (step_ == 0) step_ = kUsualStep;
}

void MappingEdits::refuse(const SyntaxNode& node, const std::string& why, const std::string& fix) const {
  throw base::Error(base::Code::usage, yaml::located(file_, node.at, why + ", which is not changed here; " + fix));
}

BlockStyle MappingEdits::style_at(const std::string& indentation) const {
  return {.indentation = indentation, .step = step_, .line_end = edits_.line_break()};
}

std::string MappingEdits::indentation_of(const SyntaxNode& node, const std::string& fix) const {
  auto indentation = indentation_before(edits_.text(), node.begin);
  if (!indentation) refuse(node, "this does not begin its line", fix);
  return *std::move(indentation);
}

bool MappingEdits::has_comment(std::size_t begin, std::size_t end, std::span<const SyntaxNode> nodes) const {
  std::vector<const SyntaxNode*> leaves;
  for (const auto& node : nodes) add_leaves(node, leaves);
  for (const SyntaxNode* leaf : leaves) {
    if (between(begin, std::max(begin, leaf->begin)).find('#') != std::string_view::npos) return true;
    begin = std::max(begin, leaf->end);
  }
  return between(begin, std::max(begin, end)).find('#') != std::string_view::npos;
}

void MappingEdits::add_below(const Place& place, const std::vector<NewEntry>& entries) {
  const std::string fix = by_hand(entries);
  const SyntaxNode& value = place.value();
  if (value.is_alias())
    refuse(value, "'" + place.key().text + "' has the value of the alias *" + value.anchor,
           fix + " in the alias's place");
  if (is_null(value)) return fill_null(place, entries, fix);
  if (value.is_scalar() && (value.has_tag || !value.anchor.empty()))
    refuse(value, "the value of '" + place.key().text + "' is an anchor or a tag alone", fix);
  if (!value.is_mapping()) refuse(value, "the value of '" + place.key().text + "' is no mapping", fix);
  if (value.flow) return append_in_brackets(value, entries);
  append_lines(value, entries, fix);
}

void MappingEdits::append_lines(const SyntaxNode& mapping, const std::vector<NewEntry>& entries,
                                const std::string& fix) {
  const std::string indentation = indentation_of(mapping.children.front(), fix);
  const std::size_t after = line_after_comments(edits_.text(), mapping.end, indentation.size());
  edits_.insert_lines(after, block_lines(entries, style_at(indentation)), indentation.size());
}

void MappingEdits::fill_null(const Place& place, const std::vector<NewEntry>& entries, const std::string& fix) {
  if (place.mapping->flow) return set_inline(place, "{" + flow_text(entries, style_in(*place.mapping)) + "}", fix);
  const std::string indentation = indentation_of(place.key(), fix) + std::string(step_, ' ');
  put_below_key(place, block_lines(entries, style_at(indentation)), indentation);
}

void MappingEdits::put_below_key(const Place& place, const std::string& lines, const std::string& indentation) {
  const SyntaxNode& value = place.value();
  if (!is_empty(value)) {
    const std::size_t before = edits_.text().find_last_not_of(" \t", value.begin - 1);
    edits_.replace(before + 1, value.end, "");
  }
  // Comments deeper than the key are its own, however deep.
  const std::size_t after = line_after_comments(edits_.text(), value.end, place.key().at.column);
  edits_.insert_lines(after, lines, indentation.size());
}

// An empty file may have comments and `---`, which stay before it.
void MappingEdits::add_at_top(const std::vector<NewEntry>& entries) {
  if (root_.is_mapping() && root_.flow) return append_in_brackets(root_, entries);
  if (!root_.is_mapping()) {
    if (!is_empty(root_)) refuse(root_, "this is no mapping of groups", by_hand(entries));
    return edits_.insert_lines(edits_.text().size(), block_lines(entries, style_at("")), 0);
  }
  const std::string indentation = indentation_of(root_.children.front(), by_hand(entries));
  const std::size_t after = line_after_comments(edits_.text(), root_.end, indentation.size());
  const std::string gap = blank_line_between_last();
  std::string lines;
  for (const auto& entry : entries) lines += gap + block_lines({entry}, style_at(indentation));
  edits_.insert_lines(after, std::move(lines), indentation.size());
}

// A blank line if one parts the last two entries at the top.
std::string MappingEdits::blank_line_between_last() const {
  const std::size_t count = root_.children.size();
  if (count < 4) return "";
  const std::size_t after = next_line(edits_.text(), root_.children[count - 3].end);
  const bool blank = after < root_.children[count - 2].begin && line_end(edits_.text(), after) == after;
  return blank ? edits_.line_break() : "";
}

void MappingEdits::set_value(const Place& place, const EntryValue& value) {
  const NewEntry entry{.key = place.key().text, .value = value, .below = {}};
  const std::string fix = by_hand({entry});
  if (place.value().is_alias() || !place.value().anchor.empty())
    refuse(place.value(), "the value of '" + entry.key + "' has an anchor or is an alias", fix);
  const auto* items = std::get_if<std::vector<std::string>>(&value);
  if (items != nullptr && !items->empty() && !place.mapping->flow) return set_list(place, *items, fix);
  set_inline(place, value_text(value, place.mapping->flow ? style_in(*place.mapping) : ScalarStyle::block), fix);
}

// Comments in a value from `begin` on, which would go with it.
void MappingEdits::refuse_comments(const Place& place, std::size_t begin, const std::string& fix) const {
  const SyntaxNode& value = place.value();
  const bool in_header = value.literal && has_comment(value.begin, line_end(edits_.text(), value.begin), {});
  const bool inside = !value.is_scalar() && has_comment(begin, value.end, value.children);
  if (in_header || inside) refuse(value, "the value of '" + place.key().text + "' has comments in it", fix);
}

void MappingEdits::set_inline(const Place& place, const std::string& written, const std::string& fix) {
  const SyntaxNode& value = place.value();
  if (is_empty(value)) {
    const std::size_t colon = behind_colon(place);
    const bool has_colon = colon > place.key().end;
    return edits_.insert(colon, (has_colon ? " " : ": ") + written);
  }
  std::size_t begin = value.begin;
  const bool is_block = !value.is_scalar() && !value.flow;
  if (is_block) begin = behind_colon(place);
  refuse_comments(place, begin, fix);
  edits_.replace(begin, value.end, is_block ? " " + written : written);
}

void MappingEdits::set_list(const Place& place, const std::vector<std::string>& items, const std::string& fix) {
  const SyntaxNode& value = place.value();
  if (value.is_sequence() && !value.flow && !value.has_tag) return set_items(value, items, fix);
  if (!value.children.empty()) return set_inline(place, value_text(items, ScalarStyle::block), fix);
  refuse_comments(place, value.begin, fix);
  const std::string indentation = indentation_of(place.key(), fix) + std::string(step_, ' ');
  put_below_key(place, item_lines(items, style_at(indentation)), indentation);
}

void MappingEdits::set_items(const SyntaxNode& list, const std::vector<std::string>& items, const std::string& fix) {
  const std::string indentation = indentation_of(list, fix);
  const std::size_t kept = std::min(list.children.size(), items.size());
  for (std::size_t i = 0; i < kept; ++i) {
    const SyntaxNode& item = list.children[i];
    if (!item.is_scalar() || !item.anchor.empty() || item.literal)
      refuse(item, "an item of the list is more than text on its line", fix);
    const bool same = item.text == items[i] && !item.has_tag &&
                      (!item.plain || scalar_text(items[i], ScalarStyle::block) == items[i]);
    if (!same)
      edits_.replace(item.begin, item.end, (is_empty(item) ? " " : "") + scalar_text(items[i], ScalarStyle::block));
  }
  if (kept < list.children.size()) {
    const std::size_t first = line_begin(edits_.text(), list.children[kept].begin);
    edits_.remove_lines(first, next_line(edits_.text(), list.end));
  } else if (kept < items.size()) {
    const std::size_t after = line_after_comments(edits_.text(), list.end, indentation.size() + 1);
    edits_.insert_lines(
        after, item_lines({items.begin() + static_cast<std::ptrdiff_t>(kept), items.end()}, style_at(indentation)),
        indentation.size() + 1);
  }
}

void MappingEdits::remove(const SyntaxNode& mapping, const std::vector<std::size_t>& entries) {
  static const std::string kFix = "remove it by hand";
  if (mapping.flow) return remove_in_brackets(mapping, entries, kFix);
  for (const std::size_t entry : entries)
    remove_lines(mapping.children[2 * entry], mapping.children[2 * entry + 1], kFix);
}

void MappingEdits::remove_lines(const SyntaxNode& first, const SyntaxNode& last, const std::string& fix) {
  const std::string indentation = indentation_of(first, fix);
  const std::size_t begin = first.begin - indentation.size();
  edits_.remove_lines(begin, line_after_comments(edits_.text(), std::max(first.end, last.end), indentation.size() + 1));
}

}  // namespace muster::inventory
