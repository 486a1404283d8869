// How text is written as a YAML scalar that reads as the same text, under either schema. Internal to inventory/. Pure
// functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::inventory {

enum class ScalarStyle : std::uint8_t {
  block,  // on a line of its own or behind its key
  flow,   // between brackets
  json,   // between brackets, always in double quotes
};

// Plain where that reads the same, else in single quotes, else with escapes in double ones; always on one line.
// Throws base::Error{usage} for what is no UTF-8.
std::string scalar_text(std::string_view text, ScalarStyle style);
// The same for a key of a mapping.
std::string key_text(std::string_view text, ScalarStyle style);

}  // namespace muster::inventory
