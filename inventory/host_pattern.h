// Host patterns: which hosts of an inventory a user means (`web:&prod:!web03`, `~db\d+`, `web[01-10]`, `@file`).
// Semantics are Ansible's, plus `^` for symmetric difference and ClusterShell's ranges (muster-inventory(5)).
//
// Terms are applied by kind, not by position: first the plain ones (union; `all` if there is none), then `&`
// (intersection), then `^` (symmetric difference, in the order written), then `!` (difference), so that what is
// excluded stays out whatever else is written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "inventory/inventory.h"

namespace muster::inventory {

// The hosts that `pattern` names, without duplicates, in the order the terms produce them, as Ansible does it.
// `limit` (may be empty: no limit) is a second pattern that hosts must match too. A term that begins with `@` names a
// file with one pattern a line, empty lines and `#` comments apart (under Dialect::ansible_strict: in `limit` only, no
// comments). Implicit localhost as in Ansible, but only if the pattern names it.
// Throws base::Error{usage} for a malformed pattern, a term that matches nothing (with names that come close), or when
// nothing is left; under Dialect::ansible_strict an unmatched term is a warning to `ctx` and the result may be empty.
// A `[1-9]` range that is in the inventory in part is a warning that names the rest.
struct Selection {
  std::vector<HostIndex> hosts;
  bool implicit_localhost = false;  // `localhost` was named and is not in the inventory
};
Selection select(const base::Context& ctx, const Inventory& inventory, std::string_view pattern,
                 std::string_view limit);

}  // namespace muster::inventory
