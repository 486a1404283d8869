// Host keys of a clone, as its hypervisor lets them be known. At its first boot somebody listens to its console, unless
// its keys were given to it before that; they are noted in its metadata (part `host_keys`). Blocks for at most its
// patience, and on disks. Thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "clone/disk_reach.h"
#include "virt/connection.h"
#include "virt/domain.h"
#include "virt/metadata.h"

namespace muster::clone {

enum class HeardBy {
  agent,
  console,
  metadata,  // what was heard before
  disk,      // written there before its first boot, or read there while it is off
  seed,      // given to it in its seed
};
const char* name_of(HeardBy source);

struct HostKeysHeard {
  std::vector<std::string> keys;  // lines `TYPE BASE64`
  HeardBy by = HeardBy::agent;
};

// As its metadata has them from then on.
virt::MetadataElement note_of_keys(const std::string& uuid, const HostKeysHeard& heard);

// Starts it if it is off. Throws base::Error{timeout} where neither its agent nor its console told within `patience`,
// saying what was tried.
HostKeysHeard start_and_hear_keys(const base::Context& ctx, const virt::Domain& domain,
                                  std::chrono::milliseconds patience);

// Of one that runs: by its agent; of one that is off: what was given to it before its first boot, or in its disk, with
// a note where that cannot be looked into; else what was heard at its first boot. nullopt: none of them has any.
std::optional<HostKeysHeard> known_keys(const base::Context& ctx, const virt::Connection& connection,
                                        const virt::Domain& domain, const DiskReach& reach);

}  // namespace muster::clone
