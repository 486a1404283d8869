#include "backup/marks.h"

#include "backup/chunk_reader.h"
#include "backup/disk_map.h"
#include "backup/object_names.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;

constexpr int kMaxLoads = 20;

}  // namespace

Marks::Marks(const Context& ctx, const Repository& repository, const std::vector<ListedPoint>& points,
             const std::vector<FoundLease>& leases)
    : repository_(repository), damaged_(read_damaged(ctx, repository)) {
  load(ctx);
  // Only for reading pages.
  const auto index = Index::load(ctx, repository, BadTables::are_errors);
  PackKeyCache keys(repository);
  ChunkReader chunks(repository, *index, keys);
  // The strict first: a page is looked at once.
  for (const auto& [state, missing] : {std::pair{true, Missing::is_an_error}, std::pair{false, Missing::is_let_be}})
    for (const auto& listed : points)
      if ((listed.state == PointState::confirmed) == state)
        for (const auto& content : listed.point.contents()) mark_content(ctx, chunks, content, missing);
  for (const auto& lease : leases)
    for (const auto& content : lease.contents) mark_content(ctx, chunks, content, Missing::is_let_be);
  add_up(ctx);
}

void Marks::load(const Context& ctx) {
  for (int load = 1;; ++load) {
    try {
      tables_.clear();
      for (const auto& id : list_index_tables(ctx, repository_.storage())) {
        IndexTable table = open_index_table(ctx, repository_, id);
        const Witness witness = witness_of(ctx, repository_, table);
        std::vector<bool> needed(table.size());
        tables_.push_back({std::move(table), witness, std::move(needed)});
      }
      break;
    } catch (const Error& e) {
      if (e.code() != Code::not_found || load == kMaxLoads) throw;  // replaced by another prune
    }
  }
  repository_.storage().list(ctx, kPacksPrefix, [&](const StoredObject& object) {
    if (const auto id = id_in_pack_name(object.name))
      packs_[*id] = {.size_bytes = object.size_bytes, .live_bytes = 0, .stored = object.stored};
  });
  for (const auto& table : tables_)
    for (const auto& pack : table.table.packs())
      if (const auto found = packs_.find(pack); found != packs_.end()) found->second.indexed = true;
}

// All copies that there are: which of them stays is the business of who lets one go.
bool Marks::mark(const Context& ctx, RecordKind kind, const ChunkId& id, Missing missing) {
  bool found = false;
  for (auto& table : tables_)
    table.table.find_numbered(ctx, repository_.storage(), id, [&](std::uint64_t number, const IndexEntry& entry) {
      if (entry.place.kind != kind || !packs_.contains(table.table.packs()[entry.pack])) return;
      table.needed[static_cast<std::size_t>(number)] = true;
      found = true;
    });
  if (!found && missing == Missing::is_an_error)
    throw Error(Code::corrupt, (kind == RecordKind::chunk ? "chunk " : "map page ") + hex(id) +
                                   ", which a restore point needs, is missing; see `muster backup check`");
  misses_something_ = misses_something_ || !found;
  return found;
}

void Marks::mark_content(const Context& ctx, ChunkReader& chunks, const Content& content, Missing missing) {
  const MapReader::Visitor visitor{.page =
                                       [&](const ChunkId& id) {
                                         if (!seen_pages_.insert(id).second) return MapReader::Below::skip;
                                         return mark(ctx, RecordKind::page, id, missing) ? MapReader::Below::look
                                                                                         : MapReader::Below::skip;
                                       },
                                   .chunk = [&](const ChunkId& id) { mark(ctx, RecordKind::chunk, id, missing); }};
  try {
    walk(ctx, chunks, content, visitor);
  } catch (const Error& e) {
    if (e.code() != Code::corrupt || missing == Missing::is_an_error) throw;
    misses_something_ = true;
  }
}

void Marks::add_up(const Context& ctx) {
  for (const auto& table : tables_) {
    std::size_t number = 0;
    table.table.each(ctx, repository_.storage(), [&](const IndexEntry& entry) {
      if (!table.needed[number++]) return;
      packs_[table.table.packs()[entry.pack]].live_bytes += entry.place.record_bytes;
    });
  }
}

std::uint64_t Marks::live_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [id, use] : packs_) bytes += use.live_bytes;
  return bytes;
}

void Marks::each_needed(const Context& ctx, const std::set<ObjectId>& packs,
                        const std::function<void(const Needed&)>& take) const {
  for (const auto& table : tables_) {
    std::vector<bool> wanted;
    bool any = false;
    for (const auto& pack : table.table.packs()) {
      wanted.push_back(packs.contains(pack));
      any = any || wanted.back();
    }
    std::size_t number = 0;
    if (!any) continue;
    table.table.each(ctx, repository_.storage(), [&](const IndexEntry& entry) {
      if (table.needed[number++] && wanted[entry.pack])
        take({table.table.packs()[entry.pack], entry.place, table.witness});
    });
  }
}

void Marks::copies_of(const Context& ctx, const Needed& needed,
                      const std::function<void(const ObjectId&)>& take) const {
  const ChunkId& id = needed.place.id;
  for (const auto& table : tables_) {
    // What a host says of others' chunks proves nothing.
    if (table.witness && table.witness != needed.witness) continue;
    table.table.find(ctx, repository_.storage(), id, [&](const IndexEntry& entry) {
      const ObjectId& pack = table.table.packs()[entry.pack];
      if (entry.place.kind == needed.place.kind && packs_.contains(pack) && !damaged_.contains({pack, id})) take(pack);
    });
  }
}

}  // namespace muster::backup
