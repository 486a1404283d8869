// Writes hosts into the text of an inventory file and takes them out of it. Whatever is not about these hosts keeps its
// bytes: comments, order, quotes, indentation, blank lines, line ends. Pure functions, text in, text out: files are the
// caller's. What the loader reads afterwards is compared with what it read before, so that an edit that would change
// anything else (through an alias, a merge key, a range) is an error and no edit.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "inventory/inventory.h"

namespace muster::inventory {

// Text is put in quotes where the loader, or Ansible, would read something else without; integers are written plain.
using EntryValue = std::variant<std::string, std::int64_t, std::vector<std::string>>;

struct EntryVariable {
  std::string name;
  EntryValue value;
};

struct HostEntry {
  std::string name;
  std::string group;  // empty: wherever the host is already, and `all` for one that is nowhere
  std::vector<EntryVariable> variables;
};

// `text` with each of the hosts in its group and with its variables; what is so already is left alone.
// A host that is new in a group stands at the end of the group's `hosts:`; `hosts:` and the group are written where
// there are none, below the `children:` of `all` if the file has its groups there. A variable that has another value is
// changed where the host itself sets it, whichever group that is in, a list item by item; one that is not set comes at
// the end of the host's mapping. A host that only a range names gets a line of its own after it. An empty text becomes
// an inventory. `file_name` is what messages call it, and tells whether its format is one that is read. Linear in both
// arguments. Throws base::Error{usage} as `file:line:column: ...` for a text that does not load, for names that cannot
// be, and for what cannot be changed without changing more; the text says what to write by hand.
std::string with_hosts(const std::string& text, const std::string& file_name, const std::vector<HostEntry>& entries,
                       Dialect dialect = Dialect::muster);

// `text` without these hosts in any group, their variables and the comments between those; comments above stay, and so
// do groups that become empty. Names that are not there are passed over. Errors as above, also for a host that a range
// names together with hosts that are to stay.
std::string without_hosts(const std::string& text, const std::string& file_name, const std::vector<std::string>& names,
                          Dialect dialect = Dialect::muster);

}  // namespace muster::inventory
