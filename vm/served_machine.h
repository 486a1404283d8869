// A machine that runs from disks that muster serves out of a repository, and is moved into its own images while it
// runs. What is under way stands in its metadata, so that whoever comes next goes on. Thread-safe for different
// machines.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/block_pull.h"
#include "virt/connection.h"
#include "virt/metadata.h"

namespace muster::vm {

// Where it comes from.
struct ServedFrom {
  std::string repository, point;  // identifiers
  std::string place;              // the directory with the servers' sockets
  // The restore point was pinned for this, to be let go once all is moved: nobody serves it while muster is away.
  bool pinned_for_this = false;
};
virt::MetadataElement served_mark(const ServedFrom& from);

struct ServedDisk {
  std::string target, path;
  bool moved = false;
  std::optional<virt::PullProgress> pull{};  // under way
};

struct ServedMachine {
  ServedFrom from;
  bool begun = false;  // it has run: its images may hold what is nowhere else
  virt::State state = virt::State::unknown;
  std::string reason;
  std::vector<ServedDisk> disks;  // those that are, or were, served

  bool moved() const;
};

// nullopt: it is no such machine, or not any more.
std::optional<ServedMachine> look_at_served(const virt::Domain& domain);

// Starts it, or lets it go on, whyever it stands still; and notes that it has begun. Its servers must be up.
void run_served(const virt::Domain& domain);
// One step of the move: disks that are not under way are begun, what keeps one from it is warned of, and a machine that
// an error of a disk stopped goes on, now that the servers are up. Returns how it is then.
ServedMachine move_on(const base::Context& ctx, const virt::Domain& domain, std::uint64_t bytes_per_second);
// Ends the move of all disks and pauses it: its servers are about to go.
void hold_served(const virt::Domain& domain);
// Once all is moved: an ordinary machine.
void settle_served(const virt::Connection& connection, const virt::Domain& domain);

}  // namespace muster::vm
