#include "backup/chunk_reader.h"

#include <algorithm>

#include "backup/object_names.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;

constexpr std::size_t kMaxPacks = 1024;

std::string named(RecordKind kind, const ChunkId& id) {
  return (kind == RecordKind::chunk ? "chunk " : "map page ") + hex(id);
}

}  // namespace

PackKeyCache::Keys PackKeyCache::keys_of(const Context& ctx, const ObjectId& pack) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = packs_.find(pack); found != packs_.end()) return found->second;
  }
  auto keys = std::make_shared<const std::vector<PackKey>>(
      read_pack_keys(ctx, repository_->storage(), repository_->id(), pack));
  const std::lock_guard lock(mutex_);
  if (packs_.size() >= kMaxPacks) packs_.clear();
  return packs_.emplace(pack, std::move(keys)).first->second;
}

PackKey PackKeyCache::find(const Context& ctx, const ObjectId& pack, const ObjectId& key) {
  const Keys keys = keys_of(ctx, pack);
  const auto found = std::find_if(keys->begin(), keys->end(), [&](const PackKey& k) { return k.id == key; });
  if (found == keys->end()) throw Error(Code::corrupt, pack_name(pack) + ": lacks the key of one of its records");
  return *found;
}

void ChunkReader::open(const Context& ctx, const ChunkPlace& place, base::ByteView record, base::Bytes& plain) {
  const auto header = read_record(record);
  if (!header || header->id != place.place.id || header->kind != place.place.kind)
    throw Error(Code::corrupt, named(place.place.kind, place.place.id) + ": damaged in " + pack_name(place.pack));
  const PackKey key = keys_->find(ctx, place.pack, header->key);
  if (domain_ && key.domain != *domain_ && key.domain != kBaseDomain)
    throw Error(Code::corrupt, named(place.place.kind, place.place.id) + ": is another domain's");
  opener_.open(*header, record, key, plain);
}

void ChunkReader::read(const Context& ctx, const ChunkPlace& place, base::Bytes& plain) {
  record_.resize(place.place.record_bytes);
  const std::string name = pack_name(place.pack);
  if (repository_->storage().get_range(ctx, name, place.place.offset, record_) != record_.size())
    throw Error(Code::corrupt, name + ": is cut short");
  open(ctx, place, record_, plain);
}

void ChunkReader::get(const Context& ctx, RecordKind kind, const ChunkId& id, base::Bytes& plain) {
  std::optional<Error> failure;
  const auto tried = [&](const ChunkPlace& place) {
    try {
      return read(ctx, place, plain), true;
    } catch (const Error& e) {
      if (e.code() != Code::corrupt && e.code() != Code::not_found) throw;
      failure = Error(Code::corrupt, e.what());
      return false;
    }
  };
  const auto best = index_->find(ctx, kind, id);
  if (best && tried(*best)) return;
  // Moved by maintenance meanwhile, or there is a better copy, or one that was quarantined for nothing.
  index_->refresh(ctx);
  for (const auto& place : index_->find_all(ctx, kind, id))
    if (tried(place)) return;
  if (failure) throw *failure;
  throw Error(Code::corrupt, named(kind, id) + ": missing; `muster backup check` tells more");
}

}  // namespace muster::backup
