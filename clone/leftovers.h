// What making clones and masters left behind on a hypervisor when it was cut off. Only what a journal names is ever
// removed: the mark of a half made machine, the claim of a half made generation. What is in none is told. Block on the
// hypervisor. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "base/context.h"
#include "virt/connection.h"
#include "vm/maker.h"

namespace muster::clone {

struct Leftovers {
  struct Unfinished {
    std::string name;                     // of the machine, or of the master and its generation
    std::vector<std::string> parts = {};  // what goes with it
    std::string at_work = {};  // why it is left alone: somebody is at it, or nobody can tell; empty: it can go
  };
  std::vector<Unfinished> machines, masters;
  std::vector<std::string> orphans;  // images that are built on a master, and no machine's
  std::vector<std::string> damaged;  // masters of which an image is gone
};

Leftovers look_for_leftovers(const base::Context& ctx, const virt::Connection& connection, vm::TakeOver take_over);

// Removes what `look_for_leftovers` says can go. Returns what went, in words. Throws as vm::remove(), and {refused} for
// a half made generation that something is built on.
std::vector<std::string> remove_leftovers(const base::Context& ctx, const virt::Connection& connection,
                                          vm::TakeOver take_over);

}  // namespace muster::clone
