// The part of MappingEdits that works between brackets, where commas part entries and lines mean nothing.
#include <algorithm>
#include <span>

#include "inventory/mapping_edits.h"

namespace muster::inventory {

using yaml::SyntaxNode;

namespace {

// The offset of the first `wanted` that no comment hides, or `end`. No scalar may stand between.
std::size_t find_outside_comments(std::string_view text, std::size_t begin, std::size_t end, char wanted) {
  for (std::size_t i = begin; i < end; ++i) {
    if (text[i] == wanted) return i;
    if (text[i] == '#') i = std::min(text.find('\n', i), end);
  }
  return end;
}

}  // namespace

// A file that is JSON stays JSON.
ScalarStyle MappingEdits::style_in(const SyntaxNode& mapping) const {
  const auto quoted = [](const SyntaxNode& node) { return !node.children.empty() && !node.children.front().plain; };
  return root_.flow && (quoted(mapping) || quoted(root_) || root_.children.empty()) ? ScalarStyle::json
                                                                                    : ScalarStyle::flow;
}

std::size_t MappingEdits::behind_colon(const Place& place) const {
  const std::size_t end = std::max(place.key().end, place.value().begin);
  const std::size_t colon = find_outside_comments(edits_.text(), place.key().end, end, ':');
  return colon == end ? place.key().end : colon + 1;
}

// With the blank that libyaml wants between `:` and `,`.
std::size_t MappingEdits::end_in_brackets(const Place& place) const {
  const SyntaxNode& value = place.value();
  if (value.begin != value.end) return value.end;
  const std::size_t end = behind_colon(place);
  return end > place.key().end && edits_.text()[end] == ' ' ? end + 1 : end;
}

void MappingEdits::append_in_brackets(const SyntaxNode& mapping, const std::vector<NewEntry>& entries) {
  const std::string_view text = edits_.text();
  const ScalarStyle style = style_in(mapping);
  const std::size_t bracket = mapping.end - 1;
  if (mapping.children.empty()) {
    const std::size_t open = find_outside_comments(text, mapping.begin, bracket, '{');
    return edits_.insert(open + 1, flow_text(entries, style));
  }
  const Place last{.mapping = &mapping, .index = mapping.children.size() / 2 - 1};
  const std::size_t end = end_in_brackets(last);
  const std::size_t comma = find_outside_comments(text, end, bracket, ',');
  const bool has_comma = comma != bracket;
  const std::string separator = text[end - 1] == ':' ? " ," : ",";
  const auto indentation = indentation_before(text, last.key().begin);
  const std::size_t behind = line_end(text, has_comma ? comma : end);
  if (!indentation || behind >= bracket) {  // all on one line
    const std::string added = flow_text(entries, style);
    return has_comma ? edits_.insert(comma + 1, " " + added + ",") : edits_.insert(end, separator + " " + added);
  }
  if (!has_comma) edits_.insert(end, separator);
  std::string lines;
  for (const auto& entry : entries)
    lines += (lines.empty() ? "" : ",") + edits_.line_break() + *indentation + flow_text(entry, style);
  edits_.insert(behind, lines + (has_comma ? "," : ""));
}

void MappingEdits::remove_in_brackets(const SyntaxNode& mapping, const std::vector<std::size_t>& entries,
                                      const std::string& fix) {
  const std::size_t count = mapping.children.size() / 2;
  for (std::size_t i = 0; i < entries.size();) {
    const std::size_t first = entries[i];
    std::size_t last = first;
    for (++i; i < entries.size() && entries[i] == last + 1; ++i) ++last;
    const Place place{.mapping = &mapping, .index = first};
    std::size_t begin = place.key().begin;
    std::size_t end = 0;
    if (last + 1 < count) {
      end = mapping.children[2 * (last + 1)].begin;
    } else if (first > 0) {
      begin = end_in_brackets({.mapping = &mapping, .index = first - 1});
      end = end_in_brackets({.mapping = &mapping, .index = last});
    } else {
      end = mapping.end - 1;
    }
    const std::span<const SyntaxNode> gone(&mapping.children[2 * first], 2 * (last - first + 1));
    if (has_comment(begin, end, gone)) refuse(place.key(), "there are comments around '" + place.key().text + "'", fix);
    edits_.replace(begin, end, "");
  }
}

}  // namespace muster::inventory
