// Where the clones of a request go, asked of the hypervisors and the inventory.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "cli/verb_command.h"
#include "clone/clone_request.h"

namespace muster::cli {

struct PlacedClones {
  std::string uri;
  bool has_master = false;
  bool all_there = false;  // machines of these names, already
  std::vector<clone::WantedClone> machines;
};

struct Placement {
  std::vector<PlacedClones> places;  // those that get any, or have some
  std::vector<std::string> owners;   // hypervisors that have the master's generation
  unsigned generation = 0;           // the newest of them all, or the one that was named
  std::set<std::string> macs;        // of every machine of every hypervisor that was asked
};

// Throws base::Error{not_found} where none of them has the master, {usage, refused} for a machine that is there on
// another hypervisor than it should be, and what hypervisors that have to be asked throw.
Placement place_clones(const VerbCommand& command, const clone::CloneRequest& request);

}  // namespace muster::cli
