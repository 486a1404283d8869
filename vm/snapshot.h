// Snapshots of a machine: made so that this libvirt can go back to them and delete them again, with an expiry that only
// muster's own have, so that pruning never touches what somebody made by hand. Thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/snapshot.h"

namespace muster::vm {

using WallClock = std::chrono::system_clock;

struct SnapshotFacts {
  virt::Snapshot snapshot;
  std::string description;  // without what is muster's
  // Made by muster to go by itself: pruned after that. nullopt: stays until it is deleted.
  std::optional<WallClock::time_point> expires;
  bool quiesced = false;
};
std::vector<SnapshotFacts> snapshots_of(const virt::Domain& domain);

// What muster notes in a snapshot's description: a last line of its own.
std::string noted_description(const SnapshotFacts& facts);
SnapshotFacts read_description(virt::Snapshot snapshot);

enum class Memory {
  as_it_is,  // of a running machine
  left_out,  // only where it is off
};

struct SnapshotRequest {
  std::string name;
  std::string description;
  std::optional<std::chrono::seconds> expires_after;
  Memory memory = Memory::as_it_is;
  // Freezes the guest for it: the program that watches over that (FrozenGuest), and the agent's patience.
  std::optional<std::vector<std::string>> freeze_watchdog;
  std::chrono::seconds freeze_patience{10};
};

// Throws base::Error{refused} for a name that is taken or a state that does not fit, {unsupported} for what this
// libvirt could not delete or go back to.
SnapshotFacts create_snapshot(const virt::Domain& domain, const SnapshotRequest& request);

// Returns what it went back to. What recorded its changes for backups goes (change_record.h). A guest that was frozen
// then is thawed.
SnapshotFacts revert_to_snapshot(const base::Context& ctx, const virt::Domain& domain, const std::string& name);

// Deletes what muster made and has expired; returns their names. One that cannot be deleted does not keep the others:
// then base::Error is thrown at the end, naming it.
std::vector<std::string> prune_snapshots(const base::Context& ctx, const virt::Domain& domain,
                                         WallClock::time_point now);

}  // namespace muster::vm
