// Moving a machine to another hypervisor, live or off: checked first, watched on the way, proved to run over there
// before anything is taken away here. Snapshots and checkpoints go along; while they are on the way they stand in the
// machine's own metadata, so that the next move of a machine that was interrupted finds them. Blocks. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/connection.h"
#include "virt/migration.h"

namespace muster::vm {

enum class Manner { live, offline };

struct MigrateOptions {
  Manner manner = Manner::live;
  virt::MigrationOptions transfer;
  std::chrono::milliseconds patience{0};  // for the transfer; zero: as long as it takes
};

// What speaks against the move, and what has to be known about it.
struct MoveCheck {
  std::vector<std::string> refusals, warnings;
};
MoveCheck check_move(const virt::Domain& domain, const virt::Connection& target, const MigrateOptions& options);

using Watch = std::function<void(const virt::MigrationProgress&)>;

struct Moved {
  virt::Domain domain;                  // on the target
  std::vector<std::string> left_files;  // on the source, those that were copied: images, UEFI variables
};

// Throws base::Error{refused} with what check_move() says, {timeout} at the deadline, {cancelled}; the machine then
// runs on here, with its snapshots, and what was copied is removed on the target.
Moved migrate(const base::Context& ctx, const virt::Domain& domain, const virt::Connection& target,
              const MigrateOptions& options, const Watch& watch);

// What an interrupted move left in the machine's metadata is put back into its place. True: there was something.
bool finish_interrupted_move(const base::Context& ctx, const virt::Domain& domain);

}  // namespace muster::vm
