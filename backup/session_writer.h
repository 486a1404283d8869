// What one session adds to a repository: each chunk once, in packs of some MiB, with an index table every now and then,
// so that an interrupted backup has not been for nothing. Thread-safe; a thread of its own writes: while it puts a pack
// of chunks, another one is filled.
#pragma once

#include <condition_variable>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>
#include <variant>
#include <vector>

#include "backup/index.h"
#include "backup/pack.h"
#include "backup/record_sealer.h"
#include "backup/repository.h"
#include "base/bounded_queue.h"

namespace muster::backup {

struct Written {
  std::uint64_t records = 0;
  std::uint64_t plain_bytes = 0;        // before compression
  std::uint64_t stored_bytes = 0;       // all of it: records, packs' own bytes, index tables
  std::uint64_t chunk_plain_bytes = 0;  // of chunks alone, without map pages
  std::uint64_t page_stored_bytes = 0;  // of packs with map pages
};

class SessionWriter {
 public:
  struct Limits {
    std::size_t pack_bytes = kPackBytes;    // twice in memory, and once more for map pages
    std::size_t table_entries = 64U << 10;  // entries of an index table, and in memory
  };

  // `repository` and `index` outlive the writer. `index`: what can be relied on.
  SessionWriter(const base::Context& ctx, const Repository& repository, const Index& index, const Limits& limits);
  SessionWriter(const SessionWriter&) = delete;
  SessionWriter& operator=(const SessionWriter&) = delete;
  // Drops what was not flushed.
  ~SessionWriter();

  const SessionKeys& keys() const { return keys_; }

  // True for one thread alone: it adds the chunk, which nobody has. False where it is there, or will be.
  bool claim(RecordKind kind, const ChunkId& id);
  // Waits for room. Throws what the writing thread threw.
  void add(const SealedRecord& record);
  // Everything that was added is durable, with an index table, once it returns. Throws what went wrong.
  void flush();
  Written written() const;

 private:
  using Flush = std::promise<void>;
  // Packs of one kind of record.
  struct Packs {
    std::unique_ptr<PackBuilder> filling, spare;  // none while all that there are wait to be put
  };
  struct Full {
    Packs* packs;
    std::unique_ptr<PackBuilder> pack;
  };
  using Item = std::variant<Full, std::shared_ptr<Flush>>;

  std::unique_ptr<PackBuilder> new_pack() const;
  Packs& packs_of(RecordKind kind) { return kind == RecordKind::chunk ? chunks_ : pages_; }
  void hand_over(Packs& packs);
  void run();
  void take(Item& item);
  void fail();
  void put_pack(PackBuilder& pack);
  void put_table();
  [[noreturn]] void rethrow() const;
  bool is_ours(RecordKind kind, const ChunkId& id);

  const base::Context ctx_;
  const Repository& repository_;
  const Index& index_;
  const Limits limits_;
  const SessionKeys keys_;
  base::BoundedQueue<Item> queue_;  // bounded by how many packs there are

  // The writing thread's own.
  std::vector<ObjectId> table_packs_;
  std::vector<IndexEntry> table_entries_;

  mutable std::mutex mutex_;
  std::condition_variable emptied_;  // a pack, which can be filled again; or something failed
  Packs chunks_, pages_;
  std::unordered_set<ChunkId> claimed_;  // not in a table of ours yet
  std::vector<std::shared_ptr<const IndexTable>> tables_;
  Written written_;
  std::exception_ptr failure_;

  std::jthread thread_;
};

}  // namespace muster::backup
