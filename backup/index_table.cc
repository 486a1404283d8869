#include "backup/index_table.h"

#include <algorithm>
#include <numeric>

#include "backup/object_names.h"
#include "base/digest.h"
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

constexpr std::string_view kMagic = "mstridx1", kSigned = "muster index signature";
constexpr std::size_t kSignedBytes = 192 + 16, kHeaderBytes = kSignedBytes + 64 + 32;
constexpr std::uint64_t kBlockEntries = 64;
constexpr std::size_t kFilterBlockBytes = 64, kFilterBitsPerEntry = 10, kFilterProbes = 7;
constexpr std::size_t kScanBytes = kIndexEntryBytes * 16384;
constexpr std::uint64_t kMaxPacks = std::uint64_t{1} << 26;

[[noreturn]] void reject(const ObjectId& table, const char* why) {
  throw Error(Code::corrupt, object_name(kIndexPrefix, table) + ": " + why);
}

std::uint64_t blocks_of(std::uint64_t entries) { return (entries + kBlockEntries - 1) / kBlockEntries; }

std::uint64_t filter_blocks(std::uint64_t entries) {
  return std::max<std::uint64_t>(1, (entries * kFilterBitsPerEntry + 511) / 512);
}

// Ids are the output of a keyed hash, so their bytes serve as the hashes of a Bloom filter in blocks of one cache line
// (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2007).
struct FilterBits {
  std::uint64_t block;
  std::uint64_t probes;  // nine bits each

  FilterBits(const ChunkId& id, std::uint64_t blocks)
      : block(static_cast<std::uint64_t>((static_cast<unsigned __int128>(prefix_of(id, 8)) * blocks) >> 64)),
        probes(prefix_of(id, 16)) {}
  std::size_t byte(std::size_t probe) const { return block * kFilterBlockBytes + (bit(probe) >> 3); }
  std::byte mask(std::size_t probe) const { return static_cast<std::byte>(1U << (bit(probe) & 7)); }

 private:
  std::size_t bit(std::size_t probe) const { return static_cast<std::size_t>(probes >> (9 * probe)) & 511; }
};

IndexEntry read_entry(ByteReader& read, const ObjectId& table, std::size_t packs) {
  IndexEntry entry;
  entry.place.id.bytes = read.array<32>();
  entry.pack = read.u32();
  entry.place.offset = read.u32();
  entry.place.record_bytes = read.u32();
  const std::uint32_t last = read.u32();
  entry.place.plain_bytes = last & kMaxPlainBytes;
  entry.place.kind = static_cast<RecordKind>(last >> 24);
  const bool sane = entry.pack < packs && entry.place.record_bytes > kRecordHeaderBytes &&
                    entry.place.record_bytes <= kRecordHeaderBytes + kMaxPlainBytes + Aead::kTagBytes &&
                    std::uint64_t{entry.place.offset} + entry.place.record_bytes <= kMaxPackBytes;
  if (!sane) reject(table, "an entry makes no sense");
  return entry;
}

Bytes signed_message(std::string_view name, ByteView header) {
  Bytes message;
  ByteWriter write(message);
  write.raw(base::as_bytes(kSigned));
  write.raw(base::as_bytes(name));
  write.u8(0);
  write.raw(header);
  return message;
}

struct Header {
  std::uint64_t packs = 0, entries = 0;
  std::uint64_t filter_blocks = 0;
  Sha256 packs_sum{}, fences_sum{}, filter_sum{}, entries_sum{};
  ObjectId signer{};
  Witness passed_on{};
};

Header read_header(const DocumentAddress& address, const ObjectId& table, ByteView bytes,
                   const std::function<std::optional<PublicKey>(const ObjectId&)>& keys) {
  const Sha256 sum = sha256(bytes.first(kHeaderBytes - 32));
  if (!std::equal(sum.begin(), sum.end(), bytes.end() - 32)) reject(table, "its header is damaged");
  ByteReader read(bytes, address.name);
  if (base::as_text(read.raw(kMagic.size())) != kMagic) reject(table, "no index table");
  if (read.array<16>() != address.repository.bytes)
    throw Error(Code::corrupt, std::string(address.name) + ": belongs to another repository");
  if (read.array<16>() != table.bytes) reject(table, "says it is another table");
  Header header{.packs = read.u32()};
  if (const std::uint32_t witness = read.u32(); witness != 0) header.passed_on = static_cast<Domain>(witness - 1);
  header.entries = read.u64();
  header.filter_blocks = read.u64();
  header.packs_sum = read.array<32>();
  header.fences_sum = read.array<32>();
  header.filter_sum = read.array<32>();
  header.entries_sum = read.array<32>();
  header.signer.bytes = read.array<16>();
  const Signature signature = read.array<64>();
  const auto key = keys(header.signer);
  if (!key) reject(table, "signed by somebody this repository does not know");
  if (!verify(*key, signature, signed_message(address.name, bytes.first(kSignedBytes))))
    reject(table, "its signature is wrong");
  if (header.entries > kMaxIndexEntries || header.packs > kMaxPacks || header.filter_blocks == 0 ||
      header.filter_blocks > filter_blocks(kMaxIndexEntries))
    reject(table, "has an impossible size");
  return header;
}

Bytes read_section(const Context& ctx, Storage& storage, const ObjectId& table, std::uint64_t at, std::uint64_t size) {
  Bytes bytes(static_cast<std::size_t>(size));
  if (storage.get_range(ctx, object_name(kIndexPrefix, table), at, bytes) != size) reject(table, "is cut short");
  return bytes;
}

Bytes checked_section(const Context& ctx, Storage& storage, const ObjectId& table,
                      std::pair<std::uint64_t, std::uint64_t> place, const Sha256& sum) {
  Bytes bytes = read_section(ctx, storage, table, place.first, place.second);
  if (sha256(bytes) != sum) reject(table, "damaged");
  return bytes;
}

// SHA-256 of what comes in pieces.
Sha256 finish_sum(base::Sha256Stream& stream) {
  const auto digest = stream.finish();
  Sha256 sum{};
  std::memcpy(sum.data(), digest.data(), sum.size());
  return sum;
}

}  // namespace

IndexTableBuilder::IndexTableBuilder(std::vector<ObjectId> packs, std::uint64_t expected)
    : packs_(std::move(packs)), filter_(filter_blocks(expected) * kFilterBlockBytes) {
  entries_.reserve(expected * kIndexEntryBytes);
}

void IndexTableBuilder::add(const IndexEntry& entry) {
  const ChunkId& id = entry.place.id;
  if (count_ > 0 && id < last_) throw Error(Code::corrupt, "index entries come out of order");
  last_ = id;
  if (count_ % kBlockEntries == 0) ByteWriter(fences_).u64(prefix_of(id));
  const FilterBits bits(id, filter_.size() / kFilterBlockBytes);
  for (std::size_t probe = 0; probe < kFilterProbes; ++probe) filter_[bits.byte(probe)] |= bits.mask(probe);
  ByteWriter write(entries_);
  write.raw(id.view());
  write.u32(entry.pack);
  write.u32(entry.place.offset);
  write.u32(entry.place.record_bytes);
  write.u32(entry.place.plain_bytes | static_cast<std::uint32_t>(entry.place.kind) << 24);
  ++count_;
}

std::vector<ByteView> IndexTableBuilder::finish(const DocumentAddress& address, const ObjectId& table,
                                                const Signer& signer, const Witness& witness) {
  packs_bytes_.clear();
  for (const auto& pack : packs_) ByteWriter(packs_bytes_).raw(pack.view());
  head_.clear();
  ByteWriter write(head_);
  write.raw(base::as_bytes(kMagic));
  write.raw(address.repository.view());
  write.raw(table.view());
  write.u32(static_cast<std::uint32_t>(packs_.size()));
  write.u32(witness ? std::uint32_t{*witness} + 1 : 0);
  write.u64(count_);
  write.u64(filter_.size() / kFilterBlockBytes);
  for (const ByteView section : {ByteView(packs_bytes_), ByteView(fences_), ByteView(filter_), ByteView(entries_)})
    write.raw(sha256(section));
  write.raw(signer.id.view());
  write.raw(sign(signer.seed, signed_message(address.name, head_)));
  write.raw(sha256(head_));
  return {head_, packs_bytes_, fences_, filter_, entries_};
}

IndexTableBuilder build_index_table(std::vector<ObjectId> packs, std::vector<IndexEntry> entries) {
  std::sort(entries.begin(), entries.end(), [](const IndexEntry& a, const IndexEntry& b) {
    return std::tie(a.place.id, a.pack, a.place.offset) < std::tie(b.place.id, b.pack, b.place.offset);
  });
  IndexTableBuilder builder(std::move(packs), entries.size());
  for (const auto& entry : entries) builder.add(entry);
  return builder;
}

IndexTable IndexTable::open(const Context& ctx, Storage& storage, const DocumentAddress& address, const ObjectId& table,
                            const std::function<std::optional<PublicKey>(const ObjectId&)>& keys) {
  const Bytes head = read_section(ctx, storage, table, 0, kHeaderBytes);
  const Header header = read_header(address, table, head, keys);
  const std::uint64_t filter_bytes = header.filter_blocks * kFilterBlockBytes;
  IndexTable result;
  result.id_ = table;
  result.signer_ = header.signer;
  result.passed_on_ = header.passed_on;
  result.count_ = header.entries;
  result.entries_sum_ = header.entries_sum;
  const std::uint64_t packs_at = kHeaderBytes, fences_at = packs_at + header.packs * 16;
  const std::uint64_t filter_at = fences_at + blocks_of(header.entries) * 8;
  result.entries_at_ = filter_at + filter_bytes;
  const auto facts = storage.stat(ctx, address.name);
  if (!facts || facts->size_bytes != result.entries_at_ + header.entries * kIndexEntryBytes)
    reject(table, "has a wrong size");
  const Bytes packs = checked_section(ctx, storage, table, {packs_at, fences_at - packs_at}, header.packs_sum);
  ByteReader read_packs(packs, address.name);
  result.packs_.resize(header.packs);
  for (auto& pack : result.packs_) pack.bytes = read_packs.array<16>();
  const Bytes fences = checked_section(ctx, storage, table, {fences_at, filter_at - fences_at}, header.fences_sum);
  ByteReader read_fences(fences, address.name);
  result.fences_.resize(blocks_of(header.entries));
  for (auto& fence : result.fences_) fence = read_fences.u64();
  result.filter_ = checked_section(ctx, storage, table, {filter_at, filter_bytes}, header.filter_sum);
  return result;
}

std::size_t IndexTable::memory_bytes() const {
  return filter_.size() + fences_.size() * sizeof(std::uint64_t) + packs_.size() * sizeof(ObjectId);
}

bool IndexTable::may_hold(const ChunkId& id) const {
  const FilterBits bits(id, filter_.size() / kFilterBlockBytes);
  for (std::size_t probe = 0; probe < kFilterProbes; ++probe)
    if ((filter_[bits.byte(probe)] & bits.mask(probe)) == std::byte{}) return false;
  return true;
}

Bytes IndexTable::read_block(const Context& ctx, Storage& storage, std::uint64_t block) const {
  const std::uint64_t first = block * kBlockEntries, count = std::min(kBlockEntries, count_ - first);
  return read_section(ctx, storage, id_, entries_at_ + first * kIndexEntryBytes, count * kIndexEntryBytes);
}

void IndexTable::find(const Context& ctx, Storage& storage, const ChunkId& id,
                      const std::function<void(const IndexEntry&)>& take) const {
  find_numbered(ctx, storage, id, [&](std::uint64_t, const IndexEntry& entry) { take(entry); });
}

void IndexTable::find_numbered(const Context& ctx, Storage& storage, const ChunkId& id,
                               const std::function<void(std::uint64_t, const IndexEntry&)>& take) const {
  if (count_ == 0 || !may_hold(id)) return;
  // The last block that begins below: the id may stand there already, and go on into the next.
  const std::uint64_t prefix = prefix_of(id);
  auto block = static_cast<std::uint64_t>(std::lower_bound(fences_.begin(), fences_.end(), prefix) - fences_.begin());
  if (block > 0) --block;
  for (; block < fences_.size() && fences_[block] <= prefix; ++block) {
    const Bytes bytes = read_block(ctx, storage, block);
    ByteReader read(bytes, "index");
    for (std::uint64_t number = block * kBlockEntries; read.left() > 0; ++number) {
      const IndexEntry entry = read_entry(read, id_, packs_.size());
      if (entry.place.id == id) take(number, entry);
      if (entry.place.id > id) return;
    }
  }
}

std::vector<IndexEntry> IndexTable::block(const Context& ctx, Storage& storage, std::uint64_t number) const {
  const Bytes bytes = read_block(ctx, storage, number);
  ByteReader read(bytes, "index");
  std::vector<IndexEntry> entries;
  while (read.left() > 0) entries.push_back(read_entry(read, id_, packs_.size()));
  return entries;
}

void IndexTable::each(const Context& ctx, Storage& storage, const std::function<void(const IndexEntry&)>& take) const {
  base::Sha256Stream sum;
  const std::uint64_t total = count_ * kIndexEntryBytes;
  for (std::uint64_t at = 0; at < total; at += kScanBytes) {
    ctx.check_stop();
    const Bytes bytes =
        read_section(ctx, storage, id_, entries_at_ + at, std::min<std::uint64_t>(kScanBytes, total - at));
    sum.add(base::as_text(bytes));
    ByteReader read(bytes, "index");
    while (read.left() > 0) take(read_entry(read, id_, packs_.size()));
  }
  if (finish_sum(sum) != entries_sum_) reject(id_, "damaged");
}

}  // namespace muster::backup
