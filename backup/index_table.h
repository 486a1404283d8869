// Where chunks are: a sorted table of fixed-width entries with a filter in front, read with ranged reads, so that
// memory is a tenth of the table however large it is (muster-repository(7), "Index tables"). A table says where to
// look; only the record there tells what is. Reading is thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "backup/credential.h"
#include "backup/crypto.h"
#include "backup/document.h"
#include "backup/ids.h"
#include "backup/pack.h"
#include "backup/storage.h"
#include "base/bytes.h"
#include "base/context.h"

namespace muster::backup {

struct IndexEntry {
  RecordPlace place;
  std::uint32_t pack = 0;  // number in the table's list of packs
};

// Whose word a place is: nobody in particular's (the owner's, maintenance's), or that of a domain's hosts, which counts
// for them alone, however often maintenance writes it anew.
using Witness = std::optional<Domain>;

constexpr std::size_t kIndexEntryBytes = 48;
// Entries of one table; more go into another one.
constexpr std::uint64_t kMaxIndexEntries = std::uint64_t{1} << 27;

// Builds tables out of entries that come in the order of their ids.
class IndexTableBuilder {
 public:
  // `expected`: how many entries are coming, for the size of the filter.
  IndexTableBuilder(std::vector<ObjectId> packs, std::uint64_t expected);

  // Throws Error{corrupt} for one out of order. Several of one id may follow one another.
  void add(const IndexEntry& entry);
  std::uint64_t size() const { return count_; }
  // The object, in pieces that live as long as the builder.
  // `witness`: whose word the signer passes on.
  std::vector<base::ByteView> finish(const DocumentAddress& address, const ObjectId& table, const Signer& signer,
                                     const Witness& witness = {});

 private:
  std::vector<ObjectId> packs_;
  std::uint64_t count_ = 0;
  ChunkId last_;
  base::Bytes head_, packs_bytes_, fences_, filter_, entries_;
};

// Makes a table of entries in any order. `packs`: all that entries name.
IndexTableBuilder build_index_table(std::vector<ObjectId> packs, std::vector<IndexEntry> entries);

class IndexTable {
 public:
  // Reads and checks all but the entries. Throws Error{corrupt, not_found}.
  static IndexTable open(const base::Context& ctx, Storage& storage, const DocumentAddress& address,
                         const ObjectId& table, const std::function<std::optional<PublicKey>(const ObjectId&)>& keys);

  const ObjectId& id() const { return id_; }
  const ObjectId& signer() const { return signer_; }
  // Whose word the signer passes on; a host has only its own, whatever this says.
  const Witness& passed_on() const { return passed_on_; }
  const std::vector<ObjectId>& packs() const { return packs_; }
  std::uint64_t size() const { return count_; }
  // Bytes that it holds in memory.
  std::size_t memory_bytes() const;

  // Calls `take` for every entry of that id. Throws Error{corrupt, not_found, io}.
  void find(const base::Context& ctx, Storage& storage, const ChunkId& id,
            const std::function<void(const IndexEntry&)>& take) const;
  // As find(), with the number of the entry among all.
  void find_numbered(const base::Context& ctx, Storage& storage, const ChunkId& id,
                     const std::function<void(std::uint64_t, const IndexEntry&)>& take) const;

  // Some entries, in order: numbers 0 to blocks() - 1.
  std::uint64_t blocks() const { return fences_.size(); }
  std::vector<IndexEntry> block(const base::Context& ctx, Storage& storage, std::uint64_t number) const;

  // Reads all entries in order, in pieces of bounded size. Throws Error{corrupt} at the end where the checksum does not
  // fit.
  void each(const base::Context& ctx, Storage& storage, const std::function<void(const IndexEntry&)>& take) const;

 private:
  bool may_hold(const ChunkId& id) const;
  base::Bytes read_block(const base::Context& ctx, Storage& storage, std::uint64_t block) const;

  ObjectId id_, signer_;
  Witness passed_on_;
  std::vector<ObjectId> packs_;
  std::vector<std::uint64_t> fences_;  // prefix of the first id of each block
  base::Bytes filter_;
  std::uint64_t count_ = 0, entries_at_ = 0;
  Sha256 entries_sum_{};
};

}  // namespace muster::backup
