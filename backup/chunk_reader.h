// Plain chunks and map pages out of a repository, each checked against its name. A reader is one thread's; what readers
// of several threads share is thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "backup/index.h"
#include "backup/record_sealer.h"
#include "backup/repository.h"

namespace muster::backup {

// The keys of packs, read once each. Holds the last so many. Thread-safe.
class PackKeyCache {
 public:
  explicit PackKeyCache(const Repository& repository) : repository_(&repository) {}

  // The key `key` of `pack`. Throws Error{corrupt, not_found}.
  PackKey find(const base::Context& ctx, const ObjectId& pack, const ObjectId& key);

 private:
  using Keys = std::shared_ptr<const std::vector<PackKey>>;
  Keys keys_of(const base::Context& ctx, const ObjectId& pack);

  const Repository* repository_;
  std::mutex mutex_;
  std::map<ObjectId, Keys> packs_;
};

class ChunkReader {
 public:
  // All outlive the reader.
  ChunkReader(const Repository& repository, const Index& index, PackKeyCache& keys)
      : repository_(&repository), index_(&index), keys_(&keys), opener_(repository.credential()) {}

  // From now on, records of another domain are none, but for the base's: what one host writes must not bring in
  // another's data.
  void accept_only(Domain domain) { domain_ = domain; }
  // The bytes of `id` into `plain`; where one copy is damaged or gone, another. Throws Error{corrupt} where they are
  // missing or damaged, Error{key} where the key at hand does not read data, Error{io}.
  void get(const base::Context& ctx, RecordKind kind, const ChunkId& id, base::Bytes& plain);
  // Of a record that was read already, with more behind it perhaps: it begins `record`.
  void open(const base::Context& ctx, const ChunkPlace& place, base::ByteView record, base::Bytes& plain);
  ChunkId id_of(RecordKind kind, Domain domain, base::ByteView plain) { return opener_.id_of(kind, domain, plain); }

 private:
  const Repository* repository_;
  const Index* index_;
  PackKeyCache* keys_;
  void read(const base::Context& ctx, const ChunkPlace& place, base::Bytes& plain);

  RecordOpener opener_;
  std::optional<Domain> domain_;
  base::Bytes record_;
};

}  // namespace muster::backup
