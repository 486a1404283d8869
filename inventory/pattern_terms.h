// The text of a host pattern taken apart: terms, their operators, subscripts, host-name ranges. Knows no inventory.
// Internal to inventory/. Pure functions but for terms_of(), which reads `@` files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inventory/inventory.h"

namespace muster::inventory {

enum class Operator : std::uint8_t { unite, intersect, differ, exclude };

struct Term {
  Operator op = Operator::unite;
  std::string text;   // without its operator
  std::string where;  // `FILE:LINE: ` for one that an `@` file holds, else empty
};

enum class AtFiles { are_read, are_names };

// Splits at commas if there are any outside of brackets (in ansible_strict: anywhere), else at colons outside of
// brackets, unless the whole is one address or range. Empty terms are dropped.
// Throws base::Error{usage} for a missing file and for an operator that nothing follows.
std::vector<Term> terms_of(std::string_view pattern, Dialect dialect, AtFiles at_files);

// `[3]`, `[-1]`, `[2:5]`, `[2:]` at the end of a term.
struct Subscript {
  std::int64_t first = 0;
  std::optional<std::int64_t> last;  // nothing: one host
  bool to_end = false;
  bool dashed = false;  // `[2-5]`, which Ansible reads as `[2:5]`
};
struct Subscripted {
  std::string_view base;
  std::optional<Subscript> subscript;
};
Subscripted split_subscript(std::string_view term);

// The text before the first bracket that can only be a range of host names: `-` between numbers, or a comma, in it.
// nullopt if there is none.
std::optional<std::string_view> range_base(std::string_view term);

}  // namespace muster::inventory
