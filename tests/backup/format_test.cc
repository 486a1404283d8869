// Formats on their own: records, packs, index tables, map pages, streams' chunks, and what they do with the wrong
// bytes.
#include <random>

#include "backup/index_table.h"
#include "backup/map_page.h"
#include "backup/object_names.h"
#include "backup/pack.h"
#include "backup/record_sealer.h"
#include "backup/stream_chunker.h"
#include "tests/backup/support.h"

namespace muster::backup {
namespace {

class Format : public testing::Test {
 protected:
  SealedRecord seal(RecordKind kind, base::ByteView plain) {
    return sealer_.seal(kind, sealer_.id_of(kind, plain), plain);
  }

  std::shared_ptr<fakes::MemoryStorage> storage_ = std::make_shared<fakes::MemoryStorage>();
  Credential owner_ = make_repository(*storage_);
  SessionKeys keys_{owner_.repository, owner_};
  RecordSealer sealer_{keys_, 3, 0};
};

TEST_F(Format, RecordsOpenToWhatWasSealed) {
  RecordOpener opener(owner_);
  base::Bytes random(70'000), plain;
  std::mt19937 generator(1);
  for (auto& byte : random) byte = static_cast<std::byte>(generator());
  for (const base::Bytes& bytes : {test_bytes(1, 1), test_bytes(65536, 2), random}) {
    const auto record = seal(RecordKind::chunk, bytes);
    opener.open(*read_record(record.bytes), record.bytes, keys_.pack_key(RecordKind::chunk), plain);
    EXPECT_EQ(plain, bytes);
  }
  EXPECT_LT(seal(RecordKind::chunk, test_bytes(65536, 2)).bytes.size(), 40'000U);
  EXPECT_EQ(seal(RecordKind::chunk, random).header.compression, Compression::none);
  EXPECT_NE(seal(RecordKind::chunk, random).header.nonce, seal(RecordKind::chunk, random).header.nonce);
}

TEST_F(Format, ARecordOfOtherBytesUnderAGoodKeyIsRefused) {
  RecordOpener opener(owner_);
  const auto bytes = test_bytes(1000, 1);
  const auto lie = sealer_.seal(RecordKind::chunk, sealer_.id_of(RecordKind::chunk, test_bytes(1000, 2)), bytes);
  base::Bytes plain;
  EXPECT_THROW(opener.open(lie.header, lie.bytes, keys_.pack_key(RecordKind::chunk), plain), base::Error);
  const auto page = seal(RecordKind::page, bytes);
  EXPECT_THROW(opener.open(page.header, page.bytes, keys_.pack_key(RecordKind::chunk), plain), base::Error);
}

TEST_F(Format, AHostWritesAndDoesNotReadBack) {
  const Credential host = host_credential(owner_, kDefaultDomain);
  const SessionKeys session(owner_.repository, host);
  RecordSealer sealer(session, 3, 0);
  const auto bytes = test_bytes(5000, 1);
  const ChunkId id = sealer.id_of(RecordKind::chunk, bytes);
  EXPECT_EQ(id, sealer_.id_of(RecordKind::chunk, bytes)) << "the same name for all of a domain";
  const auto record = sealer.seal(RecordKind::chunk, id, bytes);
  base::Bytes plain;
  RecordOpener as_owner(owner_), as_host(host);
  as_owner.open(record.header, record.bytes, session.pack_key(RecordKind::chunk), plain);
  EXPECT_EQ(plain, bytes);
  EXPECT_THROW(as_host.open(record.header, record.bytes, session.pack_key(RecordKind::chunk), plain), base::Error);
  const Credential stranger = host_credential(owner_, 1);
  EXPECT_NE(RecordSealer(SessionKeys(owner_.repository, stranger), 3, 0).id_of(RecordKind::chunk, bytes), id);
}

TEST_F(Format, PacksAreListedWithAndWithoutTheirTable) {
  PackBuilder builder(owner_.repository);
  std::vector<ChunkId> ids;
  for (unsigned i = 0; i < 20; ++i) {
    const auto record = seal(RecordKind::chunk, test_bytes(1000 + i, i));
    builder.add(record.header, record.bytes, keys_.pack_key(RecordKind::chunk));
    ids.push_back(record.header.id);
  }
  const std::size_t size = builder.size_bytes();
  base::Bytes bytes;
  for (const auto& piece : builder.finish()) bytes.insert(bytes.end(), piece.begin(), piece.end());
  EXPECT_EQ(bytes.size(), size);
  const auto table = parse_pack_table(owner_.repository, builder.id(), bytes);
  ASSERT_EQ(table.places.size(), 20U);
  const auto scan = scan_pack(owner_.repository, builder.id(), bytes);
  EXPECT_TRUE(scan.header_good && scan.table_good);
  EXPECT_EQ(scan.contents.places, table.places);
  EXPECT_EQ(scan.lost_bytes, 0U);
  // Cut in the middle of the tenth, and with the first bytes gone: the rest is found.
  base::Bytes torn(bytes.begin(), bytes.begin() + table.places[10].offset - 5);
  std::fill_n(torn.begin(), 60, std::byte{});
  const auto found = scan_pack(owner_.repository, builder.id(), torn);
  EXPECT_FALSE(found.header_good || found.table_good);
  EXPECT_EQ(found.contents.places.size(), 9U);
  // A byte in the middle costs one record.
  bytes[table.places[4].offset + 200] ^= std::byte{1};
  EXPECT_EQ(scan_pack(owner_.repository, builder.id(), bytes).contents.places.size(), 19U);
}

TEST_F(Format, IndexTablesFindWhatTheyHaveAndNothingElse) {
  std::mt19937 generator(1);
  std::vector<IndexEntry> entries;
  for (unsigned i = 0; i < 5000; ++i) {
    IndexEntry entry{.place = {.offset = 100 + i, .record_bytes = 200, .plain_bytes = 300}, .pack = i % 3};
    for (auto& byte : entry.place.id.bytes) byte = static_cast<std::byte>(generator());
    // Neighbours that share all that a table sorts blocks by, and some ids several times.
    if (i % 5 == 1) std::copy_n(entries.back().place.id.bytes.begin(), 8, entry.place.id.bytes.begin());
    if (i % 50 == 2) entry.place.id = entries.back().place.id;
    entries.push_back(entry);
  }
  const auto repository = open_as(storage_, owner_);
  auto builder = build_index_table({random_object_id(), random_object_id(), random_object_id()}, entries);
  const auto table = open_index_table({}, *repository, put_index_table({}, *repository, builder));
  EXPECT_EQ(table.size(), 5000U);
  EXPECT_LT(table.memory_bytes(), 5000U * 4);
  for (const auto& entry : entries) {
    bool found = false;
    table.find({}, *storage_, entry.place.id,
               [&](const IndexEntry& e) { found = found || (e.place == entry.place && e.pack == entry.pack); });
    ASSERT_TRUE(found);
  }
  std::size_t counted = 0;
  table.each({}, *storage_, [&](const IndexEntry&) { ++counted; });
  EXPECT_EQ(counted, 5000U);
  for (unsigned i = 0; i < 1000; ++i) {
    ChunkId other;
    for (auto& byte : other.bytes) byte = static_cast<std::byte>(generator());
    table.find({}, *storage_, other, [&](const IndexEntry&) { ADD_FAILURE() << "found what is not there"; });
  }
}

TEST_F(Format, MapPagesGoOutAndIn) {
  std::vector<MapEntry> entries(kMapFanout);
  entries[0] = ChunkId{};
  entries[255] = sealer_.id_of(RecordKind::page, test_bytes(3, 3));
  const auto bytes = encode_map_page(2, entries);
  EXPECT_EQ(decode_map_page(bytes), (MapPage{.level = 2, .entries = entries}));
  for (std::size_t cut = 0; cut < bytes.size(); ++cut)
    EXPECT_THROW(decode_map_page(base::ByteView(bytes).first(cut)), base::Error);
}

TEST_F(Format, NamesOfObjectsAreThemselvesAndNothingElse) {
  const ObjectId id = random_object_id();
  EXPECT_EQ(id_in_pack_name(pack_name(id)), id);
  EXPECT_EQ(id_in_name(kPointsPrefix, object_name(kPointsPrefix, id)), id);
  EXPECT_EQ(id_in_pack_name("packs/00/" + hex(id)), hex(id).starts_with("00") ? std::optional(id) : std::nullopt);
  const std::string numbered = numbered_name(kLeasesPrefix, {.of = id, .number = 255, .own = id});
  EXPECT_EQ(parse_numbered_name(kLeasesPrefix, numbered)->number, 255U);
  for (const auto& name : {std::string("packs/"), std::string("packs/zz/") + hex(id), numbered + "0", std::string()}) {
    EXPECT_FALSE(id_in_pack_name(name));
    EXPECT_FALSE(parse_numbered_name(kLeasesPrefix, name));
  }
}

std::vector<base::Bytes> cut(const StreamChunker& chunker, base::ByteView bytes) {
  std::vector<base::Bytes> chunks;
  while (!bytes.empty()) {
    const std::size_t length = chunker.first_chunk(bytes);
    chunks.emplace_back(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    bytes = bytes.subspan(length);
  }
  return chunks;
}

TEST(StreamChunker, WhatIsInsertedMovesOnlyTheCutsAroundIt) {
  const StreamChunker chunker(Secret::random(), {.least = 2048, .average = 8192, .most = 32768});
  base::Bytes bytes = test_bytes(2'000'000, 1);
  const auto before = cut(chunker, bytes);
  bytes.insert(bytes.begin() + 1'000'000, std::byte{'x'});
  const auto after = cut(chunker, bytes);
  std::set<base::Bytes> known(before.begin(), before.end());
  std::size_t fresh = 0;
  for (const auto& chunk : after) fresh += !known.contains(chunk);
  EXPECT_LE(fresh, 3U);
  EXPECT_NEAR(static_cast<double>(before.size()), 2e6 / 8192, 2e6 / 8192 / 2);
  for (std::size_t i = 0; i + 1 < before.size(); ++i) {
    EXPECT_GE(before[i].size(), 2048U);
    EXPECT_LE(before[i].size(), 32768U);
  }
}

TEST(StreamChunker, AnotherKeyCutsElsewhere) {
  const ChunkSizes sizes{.least = 2048, .average = 8192, .most = 32768};
  const base::Bytes bytes = test_bytes(200'000, 1);
  EXPECT_NE(cut(StreamChunker(Secret::random(), sizes), bytes), cut(StreamChunker(Secret::random(), sizes), bytes));
  EXPECT_THROW(StreamChunker(Secret::random(), {.least = 10, .average = 100, .most = 1000}), base::Error);
}

}  // namespace
}  // namespace muster::backup
