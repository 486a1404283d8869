#include "backup/index.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "backup/fields.h"
#include "backup/object_names.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;
using nlohmann::json;

// How often tables may vanish between being listed and being read before that is an error.
constexpr int kMaxLoads = 20;
constexpr base::seconds kRefreshPause{5};

Signer signer_of(const Repository& repository) {
  return {repository.credential().signer(), repository.credential().signing_seed};
}

}  // namespace

std::unique_ptr<Index> Index::load(const Context& ctx, const Repository& repository, BadTables bad_tables) {
  std::unique_ptr<Index> index(new Index(repository, bad_tables));
  index->load_all(ctx);
  return index;
}

void Index::load_all(const Context& ctx) {
  load_sentences(ctx);
  damaged_ = read_damaged(ctx, *repository_);
  for (const auto& record : damaged_) damaged_ids_.insert(record.id);
  tables_ = read_tables(ctx);
}

// A list is not of one moment: it may have the later of two sentences and lack the earlier. Until a second one has
// nothing that the first lacked.
void Index::load_sentences(const Context& ctx) {
  Storage& storage = repository_->storage();
  for (std::set<ObjectId> first = list_sentences(ctx, storage), second;; first = std::move(second)) {
    const auto sentences = read_sentences(ctx, *repository_);
    second = list_sentences(ctx, storage);
    if (!std::includes(first.begin(), first.end(), second.begin(), second.end())) continue;
    std::set<ObjectId> judged;
    for (const auto& sentence : sentences)
      if (sentence.condemned) judged.insert(sentence.sentence.id);
    doomed_ = doomed_packs(sentences);
    all_judged_ = std::includes(judged.begin(), judged.end(), second.begin(), second.end());
    sentences_ = std::move(second);
    return;
  }
}

std::optional<Index::Table> Index::read_table(const Context& ctx, const ObjectId& id) const {
  try {
    Table table{open_index_table(ctx, *repository_, id), {}};
    const Witness witness = witness_of(ctx, *repository_, table.table);
    table.ours = !witness || *witness == repository_->credential().home();
    return table;
  } catch (const Error& e) {
    if (e.code() != Code::corrupt || bad_tables_ == BadTables::are_errors) throw;
    ctx.warn(std::string(e.what()) + ": what only it names is not found; `muster backup repair` makes it anew");
    return std::nullopt;
  }
}

std::shared_ptr<const Index::Tables> Index::read_tables(const Context& ctx) const {
  for (int load = 1;; ++load) {
    try {
      auto tables = std::make_shared<Tables>();
      for (const auto& id : list_index_tables(ctx, repository_->storage()))
        if (auto table = read_table(ctx, id)) tables->push_back(std::move(*table));
      // After the tables: what they name that is gone by now is not relied on.
      const auto packs = list_packs(ctx, repository_->storage());
      for (auto& table : *tables)
        for (const auto& pack : table.table.packs())
          table.packs.push_back(!std::binary_search(packs.begin(), packs.end(), pack) ? PackState::missing
                                : doomed_.contains(pack)                              ? PackState::doomed
                                                                                      : PackState::stays);
      return tables;
    } catch (const Error& e) {
      if (e.code() != Code::not_found || load == kMaxLoads) throw;
    }
  }
}

std::shared_ptr<const Index::Tables> Index::tables() const {
  const std::lock_guard lock(mutex_);
  return tables_;
}

void Index::search(const Context& ctx, const ChunkId& id,
                   const std::function<bool(const Table&, const IndexEntry&)>& take) const {
  for (int load = 1;; ++load) {
    try {
      const auto all = tables();
      bool found = false;
      for (const auto& table : *all) {
        if (found) return;
        table.table.find(ctx, repository_->storage(), id,
                         [&](const IndexEntry& entry) { found = found || take(table, entry); });
      }
      return;
    } catch (const Error& e) {
      if (e.code() != Code::not_found || load == kMaxLoads) throw;
    }
    reload(ctx);
  }
}

std::optional<ChunkPlace> Index::find(const Context& ctx, RecordKind kind, const ChunkId& id) const {
  std::optional<ChunkPlace> best;
  search(ctx, id, [&](const Table& table, const IndexEntry& entry) {
    const PackState state = table.packs[entry.pack];
    const ObjectId& pack = table.table.packs()[entry.pack];
    if (entry.place.kind != kind || state == PackState::missing || damaged_.contains({pack, id})) return false;
    best = ChunkPlace{pack, entry.place};
    return state == PackState::stays;
  });
  return best;
}

std::vector<ChunkPlace> Index::find_all(const Context& ctx, RecordKind kind, const ChunkId& id) const {
  std::vector<ChunkPlace> places;
  search(ctx, id, [&](const Table& table, const IndexEntry& entry) {
    if (entry.place.kind == kind && table.packs[entry.pack] != PackState::missing)
      places.push_back({table.table.packs()[entry.pack], entry.place});
    return false;
  });
  return places;
}

void Index::refresh(const Context& ctx) const {
  {
    const std::lock_guard lock(mutex_);
    if (refreshed_ != base::TimePoint() && base::Clock::now() - refreshed_ < kRefreshPause) return;
  }
  reload(ctx);
}

void Index::reload(const Context& ctx) const {
  auto fresh = read_tables(ctx);
  const std::lock_guard lock(mutex_);
  tables_ = std::move(fresh);
  refreshed_ = base::Clock::now();
}

bool Index::may_rely_on(const Context& ctx, RecordKind kind, const ChunkId& id) const {
  bool good = false;
  search(ctx, id, [&](const Table& table, const IndexEntry& entry) {
    good = table.ours && entry.place.kind == kind && table.packs[entry.pack] == PackState::stays &&
           !damaged_.contains({table.table.packs()[entry.pack], id});
    return good;
  });
  return good;
}

std::size_t Index::memory_bytes() const {
  std::size_t bytes = 0;
  for (const auto& table : *tables()) bytes += table.table.memory_bytes() + table.packs.size();
  return bytes;
}

std::vector<ObjectId> list_packs(const Context& ctx, Storage& storage) {
  std::vector<ObjectId> packs;
  storage.list(ctx, kPacksPrefix, [&](const StoredObject& object) {
    if (const auto id = id_in_pack_name(object.name)) packs.push_back(*id);
  });
  std::sort(packs.begin(), packs.end());
  return packs;
}

std::vector<ObjectId> list_index_tables(const Context& ctx, Storage& storage) {
  std::vector<ObjectId> tables;
  storage.list(ctx, kIndexPrefix, [&](const StoredObject& object) {
    if (const auto id = id_in_name(kIndexPrefix, object.name)) tables.push_back(*id);
  });
  std::sort(tables.begin(), tables.end());
  return tables;
}

IndexTable open_index_table(const Context& ctx, const Repository& repository, const ObjectId& id) {
  const std::string name = object_name(kIndexPrefix, id);
  return IndexTable::open(ctx, repository.storage(), {.name = name, .repository = repository.id(), .kind = {}}, id,
                          [&](const ObjectId& signer) { return repository.signing_key(ctx, signer); });
}

Witness witness_of(const Context& ctx, const Repository& repository, const IndexTable& table) {
  const auto host = repository.host(ctx, table.signer());
  return host ? Witness(host->domain) : table.passed_on();
}

ObjectId put_index_table(const Context& ctx, const Repository& repository, IndexTableBuilder& builder,
                         const Witness& witness) {
  const ObjectId id = random_object_id();
  const std::string name = object_name(kIndexPrefix, id);
  const auto pieces =
      builder.finish({.name = name, .repository = repository.id(), .kind = {}}, id, signer_of(repository), witness);
  repository.storage().put_new(ctx, name, pieces);
  return id;
}

std::set<DamagedRecord> read_damaged(const Context& ctx, const Repository& repository) {
  std::vector<std::string> names;
  repository.storage().list(ctx, kDamagedPrefix, [&](const StoredObject& object) {
    if (id_in_name(kDamagedPrefix, object.name)) names.push_back(object.name);
  });
  std::set<DamagedRecord> records;
  for (const auto& name : names) {
    try {
      const auto opened = repository.get_document(ctx, repository.address(name, DocumentKind::damaged));
      if (!repository.is_of_our_domain(ctx, *opened.signer)) continue;
      const json fields = parse_fields(opened.payload, name);
      for (const json& entry : list_field(fields, "records", name))
        if (entry.is_object())
          records.insert({id_field(entry, "pack", name), parse_chunk_id(text_field(entry, "chunk", name), name)});
    } catch (const Error& e) {
      if (e.code() != Code::not_found && e.code() != Code::corrupt) throw;
      if (e.code() == Code::corrupt) ctx.warn(e.what());
    }
  }
  return records;
}

void put_damaged(const Context& ctx, const Repository& repository, const std::vector<DamagedRecord>& records) {
  // A document has its limit.
  constexpr std::size_t kRecordsOfOne = 50'000;
  for (std::size_t first = 0; first < records.size(); first += kRecordsOfOne) {
    json list = json::array();
    for (std::size_t i = first; i < std::min(records.size(), first + kRecordsOfOne); ++i)
      list.push_back({{"pack", hex(records[i].pack)}, {"chunk", hex(records[i].id)}});
    const std::string name = object_name(kDamagedPrefix, random_object_id());
    repository.put_document(ctx, repository.address(name, DocumentKind::damaged), fields_bytes({{"records", list}}),
                            Encrypted::no);
  }
}

}  // namespace muster::backup
