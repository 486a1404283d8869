// What everything that goes into one restore point shares on its way: the session's writer, what is there already,
// counts. disk_intake.h takes disks, area_intake.h files.
#pragma once

#include <atomic>
#include <cstdint>

#include "backup/create.h"
#include "backup/rate_limit.h"
#include "backup/session_writer.h"

namespace muster::backup {

struct IntakeCounts {
  std::atomic<std::uint64_t> dirty_bytes = 0, read_bytes = 0, chunks = 0, changed_chunks = 0;
  std::atomic<std::uint64_t> audited_bytes = 0, audit_differences = 0;
};

struct Intake {
  const Repository& repository;
  const Index& index;
  SessionWriter& writer;
  PackKeyCache& keys;
  const CreateOptions& options;
  bool with_base = false;
  RateLimit& rate;
  Progress& progress;
  IntakeCounts& counts;
  std::atomic<std::uint32_t>& next_sealer;

  RecordSealer new_sealer() { return {writer.keys(), options.compression_level, next_sealer++}; }
};

// Under which names a chunk may be known.
struct ChunkNames {
  ChunkId own;
  std::optional<ChunkId> base{};  // nullopt: nobody looks there
};
ChunkNames names_of(const Intake& intake, RecordSealer& sealer, base::ByteView plain);

// Stores a chunk unless it is there already, and returns the name that it has from now on. Thread-safe, with a sealer
// for each thread.
ChunkId store_chunk(const base::Context& ctx, Intake& intake, RecordSealer& sealer, const ChunkNames& names,
                    base::ByteView plain);

}  // namespace muster::backup
