#include "backup/refill.h"

#include <set>

#include "backup/chunk_reader.h"
#include "backup/object_names.h"
#include "backup/session_writer.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Bytes;
using base::Code;
using base::Context;
using base::Error;

constexpr int kLevel = 3;

class Refill {
 public:
  // Takes what it finds off `missing`.
  Refill(const Context& ctx, const Repository& repository, std::set<ChunkId>& missing, const Repository& second,
         Progress& progress)
      : ctx_(ctx),
        second_(second),
        index_(Index::load(ctx, repository)),
        second_index_(Index::load(ctx, second)),
        second_keys_(second),
        second_chunks_(second, *second_index_, second_keys_),
        writer_(ctx, repository, *index_, {}),
        sealer_(writer_.keys(), kLevel, 0),
        missing_(missing),
        progress_(progress) {}

  std::uint64_t run(bool is_copy) {
    is_copy ? by_name() : by_content();
    writer_.flush();
    return found_;
  }

 private:
  void store(RecordKind kind, const ChunkId& id, const Bytes& plain) {
    if (sealer_.id_of(kind, plain) != id) return;
    if (writer_.claim(kind, id)) writer_.add(sealer_.seal(kind, id, plain));
    missing_.erase(id);
    ++found_;
  }

  // The same identifiers stand there.
  void by_name() {
    Bytes plain;
    const std::set<ChunkId> wanted = missing_;
    progress_.begin(Progress::Unit::chunks, wanted.size());
    for (const ChunkId id : wanted) {
      for (const RecordKind kind : {RecordKind::chunk, RecordKind::page}) {
        ctx_.check_stop();
        try {
          if (!second_index_->find(ctx_, kind, id)) continue;
          second_chunks_.get(ctx_, kind, id, plain);
          store(kind, id, plain);
        } catch (const Error& e) {
          if (e.code() != Code::corrupt && e.code() != Code::not_found) throw;  // damaged there as well
        }
      }
      ++progress_.done;
    }
  }

  std::vector<RecordPlace> places_of(const ObjectId& pack) const {
    try {
      return read_pack_table(ctx_, second_.storage(), second_.id(), pack).places;
    } catch (const Error& e) {
      if (e.code() != Code::corrupt && e.code() != Code::not_found && e.code() != Code::key) throw;
      return {};
    }
  }

  // Every chunk there is tried under the name it would have here.
  void by_content() {
    Bytes plain;
    const auto packs = list_packs(ctx_, second_.storage());
    progress_.begin(Progress::Unit::packs, packs.size());
    for (const auto& pack : packs) {
      if (missing_.empty()) return;
      for (const auto& place : places_of(pack)) {
        if (place.kind != RecordKind::chunk) continue;
        ctx_.check_stop();
        try {
          second_chunks_.get(ctx_, RecordKind::chunk, place.id, plain);
        } catch (const Error& e) {
          if (e.code() != Code::corrupt && e.code() != Code::not_found) throw;
          continue;
        }
        const ChunkId id = sealer_.id_of(RecordKind::chunk, plain);
        if (missing_.contains(id)) store(RecordKind::chunk, id, plain);
      }
      ++progress_.done;
    }
  }

  const Context& ctx_;
  const Repository& second_;
  std::unique_ptr<Index> index_, second_index_;
  PackKeyCache second_keys_;
  ChunkReader second_chunks_;
  SessionWriter writer_;
  RecordSealer sealer_;
  std::set<ChunkId>& missing_;
  Progress& progress_;
  std::uint64_t found_ = 0;
};

}  // namespace

std::uint64_t refill(const Context& ctx, const Repository& repository, const std::vector<ChunkId>& missing,
                     const Repository& second, Progress& progress) {
  const bool is_copy = repository.id() == second.id();
  std::set<ChunkId> left(missing.begin(), missing.end());
  if (repository.credential().role != Role::owner) return Refill(ctx, repository, left, second, progress).run(is_copy);
  // An identifier does not say which domain it is of.
  std::set<Domain> domains{kDefaultDomain, kBaseDomain};
  for (const auto& host : repository.hosts(ctx)) domains.insert(host.domain);
  std::uint64_t found = 0;
  for (const Domain domain : domains)
    if (!left.empty()) found += Refill(ctx, repository.in_domain(domain), left, second, progress).run(is_copy);
  return found;
}

}  // namespace muster::backup
