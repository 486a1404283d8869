// Takes one disk into a repository: its chunks through readers and workers, leaf by leaf of its map, into a session's
// packs. create.cc puts several together into a restore point.
#pragma once

#include <cstdint>

#include "backup/intake.h"

namespace muster::backup {

// Of a map's leaves, those whose number has this remainder are audited.
struct AuditPart {
  std::uint32_t part = 0, parts = 0;  // parts 0: none is
  bool has(std::uint64_t leaf) const { return parts != 0 && leaf % parts == part; }
};

// `parent`: the same disk earlier. Returns the map of `source` as it is now; its chunks and pages are with the writer.
// With a parent and what is dirty, the leaves of `audit` are read all the same, and what differs is counted.
DiskMap take_in(const base::Context& ctx, Intake& intake, const DiskSource& source, const DiskMap* parent,
                const AuditPart& audit = {});

}  // namespace muster::backup
