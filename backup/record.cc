#include "backup/record.h"

#include <algorithm>

// For the state's size, so that it need not be allocated.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

namespace muster::backup {
namespace {

using base::Bytes;
using base::ByteView;

constexpr std::string_view kMagic = "mREC";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kChecksumAt = 80;

void write_fields(Bytes& bytes, const RecordHeader& header) {
  base::ByteWriter write(bytes);
  write.raw(base::as_bytes(kMagic));
  write.u8(kVersion);
  write.u8(static_cast<std::uint8_t>(header.kind));
  write.u8(static_cast<std::uint8_t>(header.compression));
  write.u8(0);
  write.u32(header.plain_bytes);
  write.u32(header.sealed_bytes);
  write.raw(header.key.view());
  write.raw(header.id.view());
  write.raw(header.nonce);
  write.u32(0);
}

// XXH3-64 of a record without the checksum's own place.
std::uint64_t checksum(ByteView record) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, record.data(), kChecksumAt);
  XXH3_64bits_update(&state, record.data() + kRecordHeaderBytes, record.size() - kRecordHeaderBytes);
  return XXH3_64bits_digest(&state);
}

}  // namespace

Bytes associated_data(const ObjectId& repository, const RecordHeader& header) {
  Bytes bytes;
  base::ByteWriter write(bytes);
  write.raw(repository.view());
  write.raw(header.key.view());
  write.raw(header.id.view());
  write.u8(static_cast<std::uint8_t>(header.kind));
  write.u8(static_cast<std::uint8_t>(header.compression));
  write.u32(header.plain_bytes);
  write.u32(header.sealed_bytes);
  return bytes;
}

void write_record_header(const RecordHeader& header, base::MutableBytes record) {
  Bytes fields;
  fields.reserve(kRecordHeaderBytes);
  write_fields(fields, header);
  std::copy(fields.begin(), fields.end(), record.begin());
  Bytes sum;
  base::ByteWriter(sum).u64(checksum(record));
  std::copy(sum.begin(), sum.end(), record.begin() + kChecksumAt);
}

std::optional<RecordHeader> read_record(ByteView bytes) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  base::ByteReader read(bytes.first(kRecordHeaderBytes), "record");
  if (base::as_text(read.raw(kMagic.size())) != kMagic || read.u8() != kVersion) return std::nullopt;
  const std::uint8_t kind = read.u8(), compression = read.u8(), zero = read.u8();
  RecordHeader header{.kind = static_cast<RecordKind>(kind), .compression = static_cast<Compression>(compression)};
  header.plain_bytes = read.u32();
  header.sealed_bytes = read.u32();
  header.key.bytes = read.array<16>();
  header.id.bytes = read.array<32>();
  header.nonce = read.array<12>();
  const bool known = kind >= 1 && kind <= 2 && compression <= 1 && zero == 0 && read.u32() == 0;
  // Compression never makes a record longer: what it would is stored as it is.
  const bool possible = header.plain_bytes >= 1 && header.plain_bytes <= kMaxPlainBytes &&
                        header.sealed_bytes > Aead::kTagBytes &&
                        header.sealed_bytes <= header.plain_bytes + Aead::kTagBytes;
  if (!known || !possible || header.record_bytes() > bytes.size()) return std::nullopt;
  if (checksum(bytes.first(header.record_bytes())) != read.u64()) return std::nullopt;
  return header;
}

std::size_t find_record(ByteView bytes, std::size_t from) {
  const ByteView magic = base::as_bytes(kMagic);
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(std::min(from, bytes.size()));
  return static_cast<std::size_t>(std::search(begin, bytes.end(), magic.begin(), magic.end()) - bytes.begin());
}

}  // namespace muster::backup
