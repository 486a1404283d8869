#include "backup/repack.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "backup/object_names.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::ByteView;
using base::Code;
using base::Context;
using base::Error;

constexpr std::uint32_t kPieceBytes = 4U << 20;

// New packs, one kind of record each, and the table of them.
class NewPacks {
 public:
  NewPacks(const Context& ctx, const Repository& repository, const Witness& witness)
      : ctx_(ctx), repository_(repository), witness_(witness), chunks_(repository.id()), pages_(repository.id()) {}

  void add(const RecordHeader& header, ByteView record, const PackKey& key) {
    PackBuilder& pack = header.kind == RecordKind::chunk ? chunks_ : pages_;
    pack.add(header, record, key);
    copied_bytes_ += record.size();
    if (pack.size_bytes() >= kPackBytes) put(pack);
  }
  void finish() {
    put(chunks_);
    put(pages_);
    if (entries_.empty()) return;
    auto builder = build_index_table(std::move(packs_), std::move(entries_));
    put_index_table(ctx_, repository_, builder, witness_);
  }
  std::uint64_t copied_bytes() const { return copied_bytes_; }

 private:
  void put(PackBuilder& pack) {
    if (pack.empty()) return;
    const auto pieces = pack.finish();
    repository_.storage().put_new(ctx_, pack_name(pack.id()), pieces);
    for (const auto& place : pack.places()) entries_.push_back({place, static_cast<std::uint32_t>(packs_.size())});
    packs_.push_back(pack.id());
    pack.reset();
  }

  const Context& ctx_;
  const Repository& repository_;
  const Witness witness_;
  PackBuilder chunks_, pages_;
  std::vector<ObjectId> packs_;
  std::vector<IndexEntry> entries_;
  std::uint64_t copied_bytes_ = 0;
};

PackKey key_of(const std::vector<PackKey>& keys, const ObjectId& pack, const ObjectId& id) {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const PackKey& key) { return key.id == id; });
  if (found == keys.end()) throw Error(Code::corrupt, pack_name(pack) + ": lacks the key of one of its records");
  return *found;
}

void copy_record(ByteView bytes, const RecordPlace& place, const ObjectId& pack, const std::vector<PackKey>& keys,
                 NewPacks& into) {
  const auto header = read_record(bytes);
  if (!header || header->id != place.id || header->kind != place.kind || header->record_bytes() != place.record_bytes)
    throw Error(Code::corrupt, pack_name(pack) + ": record " + hex(place.id) + " is damaged");
  into.add(*header, bytes, key_of(keys, pack, header->key));
}

// `places`: of one pack, by offset.
void copy_records(const Context& ctx, const Repository& repository, const ObjectId& pack,
                  const std::vector<RecordPlace>& places, NewPacks& into) {
  const auto keys = read_pack_keys(ctx, repository.storage(), repository.id(), pack);
  base::Bytes piece;
  for (std::size_t first = 0; first < places.size();) {
    ctx.check_stop();
    std::size_t end = first + 1;
    while (end < places.size() && places[end].offset + places[end].record_bytes - places[first].offset <= kPieceBytes)
      ++end;
    // Records do not overlap, whatever a table says.
    for (std::size_t i = first + 1; i < end; ++i)
      if (places[i].offset - places[i - 1].offset < places[i - 1].record_bytes)
        throw Error(Code::corrupt, pack_name(pack) + ": a table names records that overlap");
    piece.resize(places[end - 1].offset + places[end - 1].record_bytes - places[first].offset);
    if (repository.storage().get_range(ctx, pack_name(pack), places[first].offset, piece) != piece.size())
      throw Error(Code::corrupt, pack_name(pack) + ": is cut short");
    const std::uint32_t base = places[first].offset;
    for (; first < end; ++first)
      copy_record(ByteView(piece).subspan(places[first].offset - base, places[first].record_bytes), places[first], pack,
                  keys, into);
  }
}

}  // namespace

Repacked repack(const Context& ctx, const Repository& repository, const Marks& marks, const std::set<ObjectId>& packs,
                Progress* progress) {
  // By whose word they are what they are, which stays theirs; of several, the one that counts for most.
  std::map<Witness, std::map<ObjectId, std::vector<RecordPlace>>> wanted;
  std::map<ObjectId, std::vector<Marks::Needed>> named;
  marks.each_needed(ctx, packs, [&](const Marks::Needed& needed) { named[needed.pack].push_back(needed); });
  std::uint64_t total = 0;
  for (auto& [pack, all] : named) {
    std::sort(all.begin(), all.end(), [](const Marks::Needed& a, const Marks::Needed& b) {
      return std::tie(a.place.offset, a.place.id, a.witness) < std::tie(b.place.offset, b.place.id, b.witness);
    });
    const RecordPlace* last = nullptr;
    for (const auto& needed : all) {
      if (last != nullptr && *last == needed.place) continue;
      wanted[needed.witness][pack].push_back(needed.place);
      total += needed.place.record_bytes;
      last = &needed.place;
    }
  }
  if (progress != nullptr) progress->total = total;
  Repacked result;
  std::set<ObjectId> damaged;
  for (const auto& [witness, groups] : wanted) {
    NewPacks fresh(ctx, repository, witness);
    for (const auto& [pack, places] : groups) {
      try {
        copy_records(ctx, repository, pack, places, fresh);
      } catch (const Error& e) {
        if (e.code() != Code::corrupt) throw;
        damaged.insert(pack);
        ctx.warn(std::string(e.what()) + "; the pack stays as it is: see `muster backup check --read-data`");
      }
      if (progress != nullptr) progress->done = result.copied_bytes + fresh.copied_bytes();
    }
    fresh.finish();
    result.copied_bytes += fresh.copied_bytes();
  }
  for (const auto& [pack, all] : named)
    if (!damaged.contains(pack)) result.packs.insert(pack);
  return result;
}

}  // namespace muster::backup
