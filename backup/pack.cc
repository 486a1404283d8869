#include "backup/pack.h"

#include <algorithm>

#include <xxhash.h>

#include "backup/object_names.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::ByteReader;
using base::Bytes;
using base::ByteView;
using base::ByteWriter;
using base::Code;
using base::Context;
using base::Error;

constexpr std::string_view kMagic = "mstrpak1", kTableMagic = "mstrtab1", kEndMagic = "mstrend1";
constexpr std::size_t kFixedHeaderBytes = 48, kHeaderChecksumBytes = 8, kKeyBytes = 20 + kSealedSecretBytes;
constexpr std::size_t kPlaceBytes = 44, kTrailerBytes = 8 + 32 + 8;
constexpr std::size_t kMaxKeys = 65535;

[[noreturn]] void reject(const ObjectId& pack, const char* why) {
  throw Error(Code::corrupt, pack_name(pack) + ": " + why);
}

void write_key(ByteWriter& write, const PackKey& key) {
  write.raw(key.id.view());
  write.u8(static_cast<std::uint8_t>(key.kind));
  write.u8(0);
  write.u16(key.domain);
  write.raw(key.sealed);
}

PackKey read_key(ByteReader& read, const ObjectId& pack) {
  PackKey key;
  key.id.bytes = read.array<16>();
  const std::uint8_t kind = read.u8();
  if (kind < 1 || kind > 2) reject(pack, "has a key of an unknown kind");
  key.kind = static_cast<PackKey::Kind>(kind);
  read.u8();
  key.domain = read.u16();
  key.sealed = read.array<kSealedSecretBytes>();
  return key;
}

Bytes header_of(const ObjectId& repository, const ObjectId& pack, const std::vector<PackKey>& keys) {
  Bytes bytes;
  ByteWriter write(bytes);
  write.raw(base::as_bytes(kMagic));
  write.raw(repository.view());
  write.raw(pack.view());
  write.u16(static_cast<std::uint16_t>(keys.size()));
  write.u16(0);
  write.u32(0);
  for (const auto& key : keys) write_key(write, key);
  write.u64(XXH3_64bits(bytes.data(), bytes.size()));
  return bytes;
}

std::size_t header_bytes(std::size_t keys) { return kFixedHeaderBytes + keys * kKeyBytes + kHeaderChecksumBytes; }

// The keys, and how long the header is.
std::vector<PackKey> read_header(const ObjectId& repository, const ObjectId& pack, ByteView bytes) {
  const std::string name = pack_name(pack);
  ByteReader read(bytes, name);
  if (base::as_text(read.raw(kMagic.size())) != kMagic) reject(pack, "no pack");
  const auto its_repository = read.array<16>();
  const auto its_id = read.array<16>();
  const std::size_t count = read.u16();
  read.raw(6);
  std::vector<PackKey> keys;
  for (std::size_t i = 0; i < count; ++i) keys.push_back(read_key(read, pack));
  const std::size_t covered = header_bytes(count) - kHeaderChecksumBytes;
  if (read.u64() != XXH3_64bits(bytes.data(), covered)) reject(pack, "its header is damaged");
  if (its_repository != repository.bytes) throw Error(Code::key, name + ": belongs to another repository");
  if (its_id != pack.bytes) reject(pack, "says it is another pack");
  return keys;
}

void write_place(ByteWriter& write, const RecordPlace& place) {
  write.raw(place.id.view());
  write.u32(place.offset);
  write.u32(place.record_bytes);
  write.u32(place.plain_bytes | static_cast<std::uint32_t>(place.kind) << 24);
}

Bytes tail_of(const std::vector<PackKey>& keys, const std::vector<RecordPlace>& places, std::uint64_t table_at) {
  Bytes bytes;
  bytes.reserve(places.size() * kPlaceBytes + keys.size() * kKeyBytes + 128);
  ByteWriter write(bytes);
  write.raw(base::as_bytes(kTableMagic));
  write.u32(static_cast<std::uint32_t>(keys.size()));
  write.u32(static_cast<std::uint32_t>(places.size()));
  for (const auto& key : keys) write_key(write, key);
  for (const auto& place : places) write_place(write, place);
  write.u64(table_at);
  write.raw(sha256(bytes));
  write.raw(base::as_bytes(kEndMagic));
  return bytes;
}

RecordPlace read_place(ByteReader& read, const ObjectId& pack, std::uint64_t end) {
  RecordPlace place;
  place.id.bytes = read.array<32>();
  place.offset = read.u32();
  place.record_bytes = read.u32();
  const std::uint32_t last = read.u32();
  place.plain_bytes = last & kMaxPlainBytes;
  place.kind = static_cast<RecordKind>(last >> 24);
  const bool known = place.kind == RecordKind::chunk || place.kind == RecordKind::page;
  if (!known || place.record_bytes <= kRecordHeaderBytes ||
      place.record_bytes > kRecordHeaderBytes + kMaxPlainBytes + Aead::kTagBytes ||
      std::uint64_t{place.offset} + place.record_bytes > end)
    reject(pack, "its table makes no sense");
  return place;
}

// `tail` is from the table on to the end of the object.
PackContents parse_table(const ObjectId& pack, ByteView tail, std::uint64_t table_at) {
  const std::string name = pack_name(pack);
  const ByteView covered = tail.first(tail.size() - 40);
  const Sha256 sum = sha256(covered);
  if (!std::equal(sum.begin(), sum.end(), tail.end() - 40)) reject(pack, "its table is damaged");
  ByteReader read(covered, name);
  if (base::as_text(read.raw(kTableMagic.size())) != kTableMagic) reject(pack, "has no table");
  const std::size_t keys = read.u32(), places = read.u32();
  if (keys * kKeyBytes + places * kPlaceBytes + 8 != read.left()) reject(pack, "its table has a wrong size");
  PackContents contents;
  for (std::size_t i = 0; i < keys; ++i) contents.keys.push_back(read_key(read, pack));
  contents.places.reserve(places);
  for (std::size_t i = 0; i < places; ++i) contents.places.push_back(read_place(read, pack, table_at));
  return contents;
}

// Where the table begins, by the last bytes of an object of `size`.
std::uint64_t table_offset(const ObjectId& pack, ByteView trailer, std::uint64_t size) {
  ByteReader read(trailer, "trailer");
  const std::uint64_t at = read.u64();
  read.raw(32);
  if (base::as_text(read.raw(kEndMagic.size())) != kEndMagic) reject(pack, "has no end");
  if (at > size || size - at < kTrailerBytes) reject(pack, "its table lies outside of it");
  return at;
}

std::uint64_t pack_size(const Context& ctx, Storage& storage, const ObjectId& pack) {
  const auto facts = storage.stat(ctx, pack_name(pack));
  if (!facts) throw Error(Code::not_found, pack_name(pack) + ": is not there");
  if (facts->size_bytes < kTrailerBytes || facts->size_bytes > kMaxPackBytes) reject(pack, "has a wrong size");
  return facts->size_bytes;
}

Bytes read_exactly(const Context& ctx, Storage& storage, const ObjectId& pack, std::uint64_t offset,
                   std::size_t count) {
  Bytes bytes(count);
  if (storage.get_range(ctx, pack_name(pack), offset, bytes) != count) reject(pack, "is cut short");
  return bytes;
}

Bytes read_tail(const Context& ctx, Storage& storage, const ObjectId& pack, std::uint64_t& table_at) {
  const std::uint64_t size = pack_size(ctx, storage, pack);
  const Bytes trailer = read_exactly(ctx, storage, pack, size - kTrailerBytes, kTrailerBytes);
  table_at = table_offset(pack, trailer, size);
  return read_exactly(ctx, storage, pack, table_at, static_cast<std::size_t>(size - table_at));
}

// The whole records from `at` on; what lies between them is lost.
std::vector<RecordPlace> scan_records(ByteView bytes, std::size_t at, std::size_t end, std::uint64_t& lost) {
  std::vector<RecordPlace> places;
  while (at < end) {
    if (const auto header = read_record(bytes.subspan(at, end - at))) {
      places.push_back({.id = header->id,
                        .offset = static_cast<std::uint32_t>(at),
                        .record_bytes = header->record_bytes(),
                        .plain_bytes = header->plain_bytes,
                        .kind = header->kind});
      at += header->record_bytes();
      continue;
    }
    const std::size_t next = std::min(find_record(bytes, at + 1), end);
    lost += next - at;
    at = next;
  }
  return places;
}

}  // namespace

std::size_t PackBuilder::size_bytes() const {
  return header_bytes(keys_.size()) + records_.size() + kTableMagic.size() + 8 + keys_.size() * kKeyBytes +
         places_.size() * kPlaceBytes + kTrailerBytes;
}

void PackBuilder::add(const RecordHeader& header, ByteView record, const PackKey& key) {
  if (std::find(keys_.begin(), keys_.end(), key) == keys_.end()) {
    if (keys_.size() == kMaxKeys) throw Error(Code::refused, "a pack takes no more keys");
    keys_.push_back(key);
  }
  places_.push_back({.id = header.id,
                     .offset = static_cast<std::uint32_t>(records_.size()),
                     .record_bytes = static_cast<std::uint32_t>(record.size()),
                     .plain_bytes = header.plain_bytes,
                     .kind = header.kind});
  if (places_.size() == 1) records_.reserve(expected_bytes_);
  records_.insert(records_.end(), record.begin(), record.end());
}

std::vector<ByteView> PackBuilder::finish() {
  head_ = header_of(repository_, id_, keys_);
  for (auto& place : places_) place.offset += static_cast<std::uint32_t>(head_.size());
  tail_ = tail_of(keys_, places_, head_.size() + records_.size());
  return {head_, records_, tail_};
}

void PackBuilder::reset() {
  id_ = random_object_id();
  keys_.clear();
  places_.clear();
  records_.clear();
}

std::uint64_t pack_tail_bytes(const PackContents& contents) {
  return kTableMagic.size() + 8 + contents.keys.size() * kKeyBytes + contents.places.size() * kPlaceBytes +
         kTrailerBytes;
}

PackContents read_pack_table(const Context& ctx, Storage& storage, const ObjectId& repository, const ObjectId& pack) {
  std::uint64_t table_at = 0;
  const Bytes tail = read_tail(ctx, storage, pack, table_at);
  PackContents contents = parse_table(pack, tail, table_at);
  const std::size_t header = header_bytes(contents.keys.size());
  if (header > table_at) reject(pack, "its table makes no sense");
  if (read_header(repository, pack, read_exactly(ctx, storage, pack, 0, header)) != contents.keys)
    reject(pack, "its two lists of keys differ");
  return contents;
}

PackContents parse_pack_table(const ObjectId& repository, const ObjectId& pack, ByteView bytes) {
  if (bytes.size() < kTrailerBytes) reject(pack, "is cut short");
  const std::uint64_t table_at = table_offset(pack, bytes.last(kTrailerBytes), bytes.size());
  PackContents contents = parse_table(pack, bytes.subspan(static_cast<std::size_t>(table_at)), table_at);
  if (read_header(repository, pack, bytes) != contents.keys) reject(pack, "its two lists of keys differ");
  return contents;
}

PackScan scan_pack(const ObjectId& repository, const ObjectId& pack, ByteView bytes) {
  PackScan scan;
  std::size_t begin = 0, end = bytes.size();
  try {
    scan.contents.keys = read_header(repository, pack, bytes);
    scan.header_good = true;
    begin = header_bytes(scan.contents.keys.size());
  } catch (const Error& e) {
    if (e.code() != Code::corrupt) throw;
  }
  PackContents table;
  bool table_read = false;
  try {
    if (bytes.size() < kTrailerBytes) reject(pack, "is cut short");
    const std::uint64_t table_at = table_offset(pack, bytes.last(kTrailerBytes), bytes.size());
    table = parse_table(pack, bytes.subspan(static_cast<std::size_t>(table_at)), table_at);
    table_read = true;
    end = static_cast<std::size_t>(table_at);
  } catch (const Error&) {
    // The records tell.
  }
  if (!scan.header_good) scan.contents.keys = table.keys;
  scan.contents.places = scan_records(bytes, begin, end, scan.lost_bytes);
  scan.table_good = table_read && table.places == scan.contents.places && table.keys == scan.contents.keys;
  return scan;
}

std::vector<PackKey> read_pack_keys(const Context& ctx, Storage& storage, const ObjectId& repository,
                                    const ObjectId& pack) {
  Bytes head(kFixedHeaderBytes);
  const std::string name = pack_name(pack);
  try {
    if (storage.get_range(ctx, name, 0, head) != head.size()) reject(pack, "is cut short");
    ByteReader read(head, name);
    read.raw(40);
    head.resize(header_bytes(read.u16()));
    if (storage.get_range(ctx, name, 0, head) != head.size()) reject(pack, "is cut short");
    return read_header(repository, pack, head);
  } catch (const Error& e) {
    if (e.code() != Code::corrupt) throw;
    std::uint64_t table_at = 0;
    const Bytes tail = read_tail(ctx, storage, pack, table_at);
    return parse_table(pack, tail, table_at).keys;
  }
}

}  // namespace muster::backup
