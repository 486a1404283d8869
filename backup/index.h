// Where every chunk and map page is, by all index tables together: only what lies in a pack that is there, and is not
// known to be damaged. Thread-safe; tables that maintenance replaces meanwhile are read anew.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "backup/index_table.h"
#include "backup/repository.h"
#include "backup/sentence.h"

namespace muster::backup {

struct ChunkPlace {
  ObjectId pack;
  RecordPlace place;
};

// A record that check found damaged: nobody relies on it any more (muster-repository(7), "Damage").
struct DamagedRecord {
  ObjectId pack;
  ChunkId id;
  auto operator<=>(const DamagedRecord&) const = default;
};

// A table that cannot be read hides chunks, which then are stored again or not found: a backup can do with that,
// letting go of anything cannot.
enum class BadTables { are_warned_of, are_errors };

class Index {
 public:
  // Lists sentences, then tables, then packs: in this order (muster-repository(7), "Writing").
  // Throws Error{corrupt} for a damaged table where those are errors: `muster backup repair` makes it anew.
  static std::unique_ptr<Index> load(const base::Context& ctx, const Repository& repository,
                                     BadTables bad_tables = BadTables::are_warned_of);

  // Where to read it. Prefers a pack that stays.
  std::optional<ChunkPlace> find(const base::Context& ctx, RecordKind kind, const ChunkId& id) const;
  // Every place there is, those known to be damaged too: for whoever found nothing good at the first.
  std::vector<ChunkPlace> find_all(const base::Context& ctx, RecordKind kind, const ChunkId& id) const;
  // Reads the tables anew, unless that was done just now: what maintenance moved is found again.
  void refresh(const base::Context& ctx) const;
  // Whether a new restore point may rely on it: in a pack that no sentence names, by a table of our own domain.
  bool may_rely_on(const base::Context& ctx, RecordKind kind, const ChunkId& id) const;

  // In one pack or another: not to be relied on unless may_rely_on() finds another copy.
  bool is_damaged(const ChunkId& id) const { return damaged_ids_.contains(id); }

  // The sentences that were there when it was loaded.
  const std::set<ObjectId>& sentences() const { return sentences_; }
  // And whether each had its verdict then.
  bool all_judged() const { return all_judged_; }
  bool knows_of_damage() const { return !damaged_.empty(); }
  std::size_t memory_bytes() const;

 private:
  enum class PackState : std::uint8_t { missing, stays, doomed };
  struct Table {
    IndexTable table;
    std::vector<PackState> packs;
    bool ours = false;  // signed by who may say what our chunks are
  };
  using Tables = std::vector<Table>;

  Index(const Repository& repository, BadTables bad_tables) : repository_(&repository), bad_tables_(bad_tables) {}
  void load_all(const base::Context& ctx);
  void load_sentences(const base::Context& ctx);
  std::shared_ptr<const Tables> read_tables(const base::Context& ctx) const;
  std::shared_ptr<const Tables> tables() const;
  void reload(const base::Context& ctx) const;
  // Calls `take` until it returns true. Loads the tables anew where one of them is gone.
  void search(const base::Context& ctx, const ChunkId& id,
              const std::function<bool(const Table&, const IndexEntry&)>& take) const;

  std::optional<Table> read_table(const base::Context& ctx, const ObjectId& id) const;

  const Repository* repository_;
  BadTables bad_tables_;
  std::set<ObjectId> sentences_, doomed_;
  std::set<DamagedRecord> damaged_;
  std::set<ChunkId> damaged_ids_;
  bool all_judged_ = true;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Tables> tables_;
  mutable base::TimePoint refreshed_;
};

// The packs that are there, sorted.
std::vector<ObjectId> list_packs(const base::Context& ctx, Storage& storage);
std::vector<ObjectId> list_index_tables(const base::Context& ctx, Storage& storage);
// Throws what IndexTable::open() throws.
IndexTable open_index_table(const base::Context& ctx, const Repository& repository, const ObjectId& id);
// Puts it under a new name, signed by this credential.
ObjectId put_index_table(const base::Context& ctx, const Repository& repository, IndexTableBuilder& builder,
                         const Witness& witness = {});
Witness witness_of(const base::Context& ctx, const Repository& repository, const IndexTable& table);

std::set<DamagedRecord> read_damaged(const base::Context& ctx, const Repository& repository);
void put_damaged(const base::Context& ctx, const Repository& repository, const std::vector<DamagedRecord>& records);

}  // namespace muster::backup
