// What the tests of areas share: trees with every kind of file, and what is compared of two of them. For root.
#pragma once

#include <map>
#include <string>

#include "tests/e2e/backup_fixture.h"

namespace muster::e2e {

// Regular, empty, large, sparse, linked, special, strangely named files, with set-id bits, attributes and lists of
// access. Devices only for root.
void make_full_tree(const std::string& directory);

// Everything that a restore brings back of each path: type, mode, owner, size, time, link, attributes, names of one
// file, bytes.
using Tree = std::map<std::string, std::string>;
Tree tree_of(const std::string& directory);
// Empty where they are equal, else what differs.
std::string difference(const Tree& wanted, const Tree& found);

// Until what `directory` holds has an age at which a backup trusts that it did not change.
void wait_until_settled();

}  // namespace muster::e2e
