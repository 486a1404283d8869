#include "inventory/entry_text.h"

namespace muster::inventory {
namespace {

const std::vector<std::string>* filled_list(const EntryValue& value) {
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  return list == nullptr || list->empty() ? nullptr : list;
}

BlockStyle one_deeper(const BlockStyle& style) {
  BlockStyle deeper = style;
  deeper.indentation.append(style.step, ' ');
  return deeper;
}

void append_lines(std::string& lines, const NewEntry& entry, const BlockStyle& style) {
  lines += style.indentation + key_text(entry.key, ScalarStyle::block) + ":";
  const auto* list = entry.value ? filled_list(*entry.value) : nullptr;
  if (entry.value && list == nullptr) lines += " " + value_text(*entry.value, ScalarStyle::block);
  lines += style.line_end;
  if (list != nullptr) lines += item_lines(*list, one_deeper(style));
  if (!entry.below.empty()) lines += block_lines(entry.below, one_deeper(style));
}

}  // namespace

std::string block_lines(const std::vector<NewEntry>& entries, const BlockStyle& style) {
  std::string lines;
  for (const auto& entry : entries) append_lines(lines, entry, style);
  return lines;
}

std::string item_lines(const std::vector<std::string>& items, const BlockStyle& style) {
  std::string lines;
  for (const auto& item : items)
    lines += style.indentation + "- " + scalar_text(item, ScalarStyle::block) + style.line_end;
  return lines;
}

std::string flow_text(const std::vector<NewEntry>& entries, ScalarStyle style) {
  std::string text;
  for (const auto& entry : entries) text += (text.empty() ? "" : ", ") + flow_text(entry, style);
  return text;
}

std::string flow_text(const NewEntry& entry, ScalarStyle style) {
  const std::string value = entry.value ? value_text(*entry.value, style) : "{" + flow_text(entry.below, style) + "}";
  return key_text(entry.key, style) + ": " + value;
}

std::string value_text(const EntryValue& value, ScalarStyle style) {
  if (const auto* text = std::get_if<std::string>(&value)) return scalar_text(*text, style);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  const ScalarStyle inside = style == ScalarStyle::block ? ScalarStyle::flow : style;
  std::string items;
  for (const auto& item : std::get<std::vector<std::string>>(value))
    items += (items.empty() ? "" : ", ") + scalar_text(item, inside);
  return "[" + items + "]";
}

}  // namespace muster::inventory
