// New entries of a mapping as YAML: indented lines, or between brackets. Internal to inventory/. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inventory/entries.h"
#include "inventory/scalar_text.h"

namespace muster::inventory {

// `key:` with a value, with entries below it, or with neither.
struct NewEntry {
  std::string key;
  std::optional<EntryValue> value;
  std::vector<NewEntry> below;
};

struct BlockStyle {
  std::string indentation;  // of the lines, as it is written
  std::size_t step = 2;     // blanks a level
  std::string line_end = "\n";
};

// Each line with its end.
std::string block_lines(const std::vector<NewEntry>& entries, const BlockStyle& style);
// The items of a list, `- item` each.
std::string item_lines(const std::vector<std::string>& items, const BlockStyle& style);

// `a: 1, b: {c: 2}`, without brackets around.
std::string flow_text(const std::vector<NewEntry>& entries, ScalarStyle style);
std::string flow_text(const NewEntry& entry, ScalarStyle style);
// A value on one line, a list in brackets.
std::string value_text(const EntryValue& value, ScalarStyle style);

}  // namespace muster::inventory
