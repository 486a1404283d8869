#include "backup/session_writer.h"

#include <utility>

#include "backup/object_names.h"
#include "base/error.h"

namespace muster::backup {

SessionWriter::SessionWriter(const base::Context& ctx, const Repository& repository, const Index& index,
                             const Limits& limits)
    : ctx_(ctx),
      repository_(repository),
      index_(index),
      limits_(limits),
      keys_(repository.id(), repository.credential()),
      queue_(1),
      chunks_{.filling = new_pack(), .spare = new_pack()},
      pages_{.filling = new_pack(), .spare = {}},
      thread_([this] { run(); }) {}

SessionWriter::~SessionWriter() { queue_.abandon(); }

std::unique_ptr<PackBuilder> SessionWriter::new_pack() const {
  // The last record goes beyond the limit.
  const std::size_t most = kRecordHeaderBytes + repository_.config().chunk_bytes + Aead::kTagBytes;
  return std::make_unique<PackBuilder>(repository_.id(), limits_.pack_bytes + most);
}

bool SessionWriter::is_ours(RecordKind kind, const ChunkId& id) {
  std::vector<std::shared_ptr<const IndexTable>> tables;
  {
    const std::lock_guard lock(mutex_);
    tables = tables_;
  }
  bool found = false;
  for (const auto& table : tables) {
    try {
      table->find(ctx_, repository_.storage(), id,
                  [&](const IndexEntry& entry) { found = found || entry.place.kind == kind; });
    } catch (const base::Error& e) {
      if (e.code() != base::Code::not_found) throw;
      // Maintenance merged it with others: what it names is stored twice at worst.
      const std::lock_guard lock(mutex_);
      std::erase(tables_, table);
    }
  }
  return found;
}

bool SessionWriter::claim(RecordKind kind, const ChunkId& id) {
  {
    const std::lock_guard lock(mutex_);
    if (claimed_.contains(id)) return false;
  }
  if (index_.may_rely_on(ctx_, kind, id) || is_ours(kind, id)) return false;
  const std::lock_guard lock(mutex_);
  return claimed_.insert(id).second;
}

// With mutex_ locked.
void SessionWriter::rethrow() const {
  if (failure_) std::rethrow_exception(failure_);
  throw base::Error(base::Code::io, "the backup's writer has ended");
}

// With mutex_ locked.
void SessionWriter::hand_over(Packs& packs) {
  if (!packs.filling || packs.filling->empty()) return;
  if (!queue_.push(Full{&packs, std::move(packs.filling)}, 0)) rethrow();
  packs.filling = std::move(packs.spare);
}

void SessionWriter::add(const SealedRecord& record) {
  std::unique_lock lock(mutex_);
  Packs& packs = packs_of(record.header.kind);
  emptied_.wait(lock, [&] { return failure_ || packs.filling; });
  if (failure_) rethrow();
  packs.filling->add(record.header, record.bytes, keys_.pack_key(record.header.kind));
  ++written_.records;
  written_.plain_bytes += record.header.plain_bytes;
  if (&packs == &chunks_) written_.chunk_plain_bytes += record.header.plain_bytes;
  if (packs.filling->size_bytes() >= limits_.pack_bytes) hand_over(packs);
}

void SessionWriter::flush() {
  auto done = std::make_shared<Flush>();
  auto result = done->get_future();
  {
    const std::lock_guard lock(mutex_);
    hand_over(chunks_);
    hand_over(pages_);
    if (!queue_.push(std::move(done), 0)) rethrow();
  }
  try {
    result.get();
  } catch (const std::future_error&) {
    // Dropped by a writer that failed at something before it.
    const std::lock_guard lock(mutex_);
    rethrow();
  }
}

Written SessionWriter::written() const {
  const std::lock_guard lock(mutex_);
  return written_;
}

void SessionWriter::run() {
  while (auto item = queue_.pop()) {
    try {
      ctx_.check_stop();
      take(*item);
    } catch (...) {
      fail();
      if (auto* flush = std::get_if<std::shared_ptr<Flush>>(&*item)) (*flush)->set_exception(std::current_exception());
      return;
    }
  }
}

void SessionWriter::fail() {
  {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
  }
  queue_.abandon();
  emptied_.notify_all();
}

void SessionWriter::take(Item& item) {
  if (auto* flush = std::get_if<std::shared_ptr<Flush>>(&item)) {
    put_table();
    return (*flush)->set_value();
  }
  auto& [packs, pack] = std::get<Full>(item);
  put_pack(*pack);
  {
    const std::lock_guard lock(mutex_);
    written_.stored_bytes += pack->size_bytes();
    if (packs == &pages_) written_.page_stored_bytes += pack->size_bytes();
    pack->reset();
    (packs->filling ? packs->spare : packs->filling) = std::move(pack);
  }
  emptied_.notify_all();
  if (table_entries_.size() >= limits_.table_entries) put_table();
}

void SessionWriter::put_pack(PackBuilder& pack) {
  const auto pieces = pack.finish();
  repository_.storage().put_new(ctx_, pack_name(pack.id()), pieces);
  const auto number = static_cast<std::uint32_t>(table_packs_.size());
  table_packs_.push_back(pack.id());
  for (const auto& place : pack.places()) table_entries_.push_back({place, number});
}

void SessionWriter::put_table() {
  if (table_entries_.empty()) return;
  std::vector<ChunkId> ids;
  for (const auto& entry : table_entries_) ids.push_back(entry.place.id);
  auto builder = build_index_table(std::exchange(table_packs_, {}), std::exchange(table_entries_, {}));
  const ObjectId id = put_index_table(ctx_, repository_, builder);
  std::shared_ptr<const IndexTable> table;
  try {
    table = std::make_shared<const IndexTable>(open_index_table(ctx_, repository_, id));
  } catch (const base::Error& e) {
    if (e.code() != base::Code::not_found) throw;  // merged with others already
  }
  const std::lock_guard lock(mutex_);
  written_.stored_bytes += ids.size() * kIndexEntryBytes + (table ? table->memory_bytes() : 0);
  if (table) tables_.push_back(std::move(table));
  for (const auto& chunk : ids) claimed_.erase(chunk);
}

}  // namespace muster::backup
