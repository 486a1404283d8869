#include <algorithm>

#include "backup/check_parts.h"
#include "backup/chunk_reader.h"
#include "backup/object_names.h"
#include "backup/thread_group.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Bytes;
using base::ByteView;
using base::Code;
using base::Context;
using base::Error;

constexpr std::size_t kReadBytes = 4U << 20;

bool in_part(const ObjectId& pack, const CheckOptions& options) {
  std::uint64_t number = 0;
  std::memcpy(&number, pack.bytes.data(), sizeof number);
  return number % options.parts == options.part - 1;
}

// One thread's look at packs.
class PackCheck {
 public:
  PackCheck(const Repository& repository, Findings& findings)
      : repository_(repository), findings_(findings), opener_(repository.credential()) {}

  void structure(const Context& ctx, const ObjectId& pack);
  void data(const Context& ctx, const ObjectId& pack);

 private:
  void records(const Context& ctx, const ObjectId& pack, const PackContents& contents, std::uint64_t table_at);
  void record(const ObjectId& pack, const RecordPlace& place, const std::vector<PackKey>& keys, ByteView bytes);
  void salvage(const Context& ctx, const ObjectId& pack);

  const Repository& repository_;
  Findings& findings_;
  RecordOpener opener_;
  Bytes piece_, plain_;
};

void PackCheck::structure(const Context& ctx, const ObjectId& pack) {
  try {
    read_pack_table(ctx, repository_.storage(), repository_.id(), pack);
  } catch (const Error& e) {
    if (e.code() != Code::corrupt && e.code() != Code::key) throw;
    findings_.add_damaged_pack(pack, e.what());
  }
}

void PackCheck::record(const ObjectId& pack, const RecordPlace& place, const std::vector<PackKey>& keys,
                       ByteView bytes) {
  try {
    const auto header = read_record(bytes);
    if (!header || header->id != place.id || header->kind != place.kind || header->record_bytes() != place.record_bytes)
      throw Error(Code::corrupt, "record " + hex(place.id) + ": damaged");
    const auto key = std::find_if(keys.begin(), keys.end(), [&](const PackKey& k) { return k.id == header->key; });
    if (key == keys.end()) throw Error(Code::corrupt, "record " + hex(place.id) + ": its key is not in the pack");
    opener_.open(*header, bytes, *key, plain_);
  } catch (const Error& e) {
    if (e.code() == Code::key) return;  // whole by its checksum; only its owner can say more
    if (e.code() != Code::corrupt) throw;
    findings_.add_damaged({pack, place.id}, e.what());
  }
}

// Records follow one another without gaps, so that every byte of a pack is covered by one checksum or another.
void PackCheck::records(const Context& ctx, const ObjectId& pack, const PackContents& contents,
                        std::uint64_t table_at) {
  const std::string name = pack_name(pack);
  std::uint64_t expected = contents.places.empty() ? table_at : contents.places.front().offset;
  for (std::size_t first = 0; first < contents.places.size();) {
    ctx.check_stop();
    const std::uint64_t offset = contents.places[first].offset;
    std::size_t end = first, size = 0;
    do {
      const RecordPlace& place = contents.places[end];
      if (place.offset != expected) throw Error(Code::corrupt, name + ": its records do not follow one another");
      expected = std::uint64_t{place.offset} + place.record_bytes;
      size += place.record_bytes;
      ++end;
    } while (end < contents.places.size() && size + contents.places[end].record_bytes <= kReadBytes);
    piece_.resize(size);
    if (repository_.storage().get_range(ctx, name, offset, piece_) != size)
      throw Error(Code::corrupt, name + ": is cut short");
    for (; first < end; ++first)
      record(pack, contents.places[first], contents.keys,
             ByteView(piece_).subspan(static_cast<std::size_t>(contents.places[first].offset - offset),
                                      contents.places[first].record_bytes));
    findings_.count_records(0, size);
  }
  if (expected != table_at) throw Error(Code::corrupt, name + ": its records do not reach its table");
  findings_.count_records(contents.places.size(), 0);
}

// A pack whose frame is damaged: what its records say of themselves.
void PackCheck::salvage(const Context& ctx, const ObjectId& pack) {
  const Bytes bytes = get_all(ctx, repository_.storage(), pack_name(pack), kMaxPackBytes);
  PackScan scan;
  try {
    scan = scan_pack(repository_.id(), pack, bytes);
  } catch (const Error& e) {
    if (e.code() != Code::key) throw;
    return;  // another repository's, as was told
  }
  for (const auto& place : scan.contents.places)
    record(pack, place, scan.contents.keys, ByteView(bytes).subspan(place.offset, place.record_bytes));
  findings_.count_records(scan.contents.places.size(), bytes.size());
}

void PackCheck::data(const Context& ctx, const ObjectId& pack) {
  try {
    const auto facts = repository_.storage().stat(ctx, pack_name(pack));
    const PackContents contents = read_pack_table(ctx, repository_.storage(), repository_.id(), pack);
    const std::uint64_t table_at = facts ? facts->size_bytes - pack_tail_bytes(contents) : 0;
    records(ctx, pack, contents, table_at);
  } catch (const Error& e) {
    if (e.code() != Code::corrupt && e.code() != Code::key) throw;
    findings_.add_damaged_pack(pack, e.what());
    salvage(ctx, pack);
  }
}

}  // namespace

void check_packs(const Context& ctx, const Repository& repository, const CheckOptions& options,
                 const std::set<ObjectId>& indexed, Findings& findings, Progress& progress) {
  const auto packs = list_packs(ctx, repository.storage());
  findings.result().packs = packs.size();
  progress.begin(Progress::Unit::packs, packs.size());
  for (const auto& pack : packs) {
    if (indexed.contains(pack)) continue;
    findings.result().unindexed_packs.push_back(pack);
    findings.add(FindingKind::not_indexed, pack_name(pack), "no index table names it");
  }
  in_parallel(ctx, worker_count(options.workers), packs.size(), [&] {
    return [&, look = std::make_shared<PackCheck>(repository, findings)](const Context& own, std::size_t i) {
      try {
        if (options.depth == CheckDepth::data && in_part(packs[i], options))
          look->data(own, packs[i]);
        else
          look->structure(own, packs[i]);
      } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;  // pruned meanwhile
      }
      ++progress.done;
    };
  });
}

}  // namespace muster::backup
