// What a scalar's text means: null, boolean, integer, floating point or string, by YAML 1.2's core schema (section
// 10.3.2 of the specification) or, for Ansible's original reading, by YAML 1.1 as PyYAML resolves it. And one that
// means a text. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "yaml/document.h"

namespace muster::yaml {

enum class Schema { core_1_2, yaml_1_1 };

using Scalar = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

// Quoted scalars and those tagged `!!str` or `!unsafe` are strings. A number out of range stays a string.
// `node` must be a scalar.
Scalar resolve(const Node& node, Schema schema);

// A scalar that is the string `text`, in single quotes, in which YAML knows no other escape than the quote twice. A
// line break in it would be folded.
std::string in_single_quotes(std::string_view text);

}  // namespace muster::yaml
