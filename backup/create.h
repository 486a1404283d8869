// Makes a restore point: reads disks, or the files of an area, stores what is not there yet, and commits. Readers,
// workers and a writer are joined by bounded queues. One call is one thread's; it makes threads of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backup/area_host.h"
#include "backup/area_scan.h"
#include "backup/index.h"
#include "backup/progress.h"
#include "backup/rate_limit.h"
#include "backup/repository.h"
#include "backup/restore_point.h"
#include "disk/block_device.h"

namespace muster::backup {

struct DiskSource {
  std::string disk;  // `vda`, or an image's number from 1
  std::string source, format;
  std::optional<std::int64_t> modified_ns{}, changed_ns{};  // as DiskPoint has them
  disk::BlockReader* reader = nullptr;                      // outlives the call
  // What may differ from the parent, where that is known: nothing else is read. Sorted, apart from each other.
  std::optional<std::vector<disk::ByteRange>> dirty{};
  std::string bitmap{};
  std::string whole_because{};
};

struct PartSource {
  std::string part;
  base::Bytes bytes;
};

struct AreaSource {
  AreaHost* host = nullptr;  // outlives the call
  std::string host_name;     // as AreaPoint has it
  AreaOrder order;
  std::string spill_directory;  // for unnamed files: some hundred bytes for each file of the area
};

struct CreateOptions {
  unsigned workers = 0;  // hash, compress, encrypt; 0: as many as processors
  unsigned readers = 2;
  int compression_level = 1;             // half the time of 3, a hundredth more room
  std::size_t memory_bytes = 16U << 20;  // of chunks in flight
  std::uint64_t bytes_per_second = 0;    // read at most; 0: no limit
};

struct CreateRequest {
  std::string name;
  std::string tool, consistency;
  std::vector<std::string> tags{};
  std::vector<DiskSource> disks{};
  std::vector<PartSource> parts{};
  std::optional<AreaSource> area{};  // instead of disks
  std::optional<MachinePoint> machine{};
  // What to compare with; with `dirty` the one that that is relative to. Its disks are found by name.
  // One of another domain is none.
  std::optional<RestorePoint> parent{};
  std::uint64_t sequence =
      0;  // of the machine's latest point: the new one's is higher; the parent may be an earlier one
  // Whether the base may have chunks of this machine: looking there costs each new chunk another hash.
  bool with_base = true;
  // Of disks of which it is known what is dirty: one part of so many of the rest is read, too, the next part each time,
  // and compared. What differs there has changed without anybody's knowledge: then all of the disk is read. 0: none.
  unsigned audit_parts = 0;
  // Once all is read, before the restore point holds: throws where what was read is not of one moment.
  std::function<void()> before_commit{};
  RateLimit* rate = nullptr;  // that several share; else options.bytes_per_second is this one's own
  CreateOptions options{};
};

struct CreateResult {
  RestorePoint point;
  std::uint64_t chunks = 0, changed_chunks = 0;
  unsigned attempts = 1;  // more: maintenance was at the same packs meanwhile
};

// Throws Error{io, no_space, cancelled, ...}; then there is no new restore point. What was stored by then serves the
// next try.
CreateResult create_restore_point(const base::Context& ctx, const Repository& repository, const CreateRequest& request,
                                  Progress& progress);

}  // namespace muster::backup
