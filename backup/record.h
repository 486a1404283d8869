// One chunk or map page as it stands in a pack: a header in clear, then the bytes under AES-256-GCM
// (muster-repository(7), "Records"). Nothing in it says where it stands, so that it can be moved without being opened.
// Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "backup/crypto.h"
#include "backup/ids.h"
#include "base/bytes.h"

namespace muster::backup {

// Numbers of the format.
enum class RecordKind : std::uint8_t {
  chunk = 1,  // of a disk or a byte stream, under a data key
  page = 2,   // of a map, under a metadata key
};
enum class Compression : std::uint8_t { none = 0, zstd = 1 };

constexpr std::size_t kRecordHeaderBytes = 88;
// Plain bytes of a record fit into 24 bits.
constexpr std::uint32_t kMaxPlainBytes = (1U << 24) - 1;

struct RecordHeader {
  RecordKind kind = RecordKind::chunk;
  Compression compression = Compression::none;
  std::uint32_t plain_bytes = 0;   // after decompression
  std::uint32_t sealed_bytes = 0;  // after the header, with the tag
  ObjectId key{};
  ChunkId id{};
  Nonce nonce{};

  std::uint32_t record_bytes() const { return static_cast<std::uint32_t>(kRecordHeaderBytes) + sealed_bytes; }
};

// What AES-256-GCM authenticates beside the bytes.
base::Bytes associated_data(const ObjectId& repository, const RecordHeader& header);

// Writes the header into the first bytes of `record`, whose rest is sealed already.
void write_record_header(const RecordHeader& header, base::MutableBytes record);

// The header of the record at the front of `bytes`, which may go on after it. nullopt where there is none: wrong magic,
// impossible lengths, cut short, or a checksum that does not fit.
std::optional<RecordHeader> read_record(base::ByteView bytes);

// Where the next record may begin in `bytes`: the first place of a record's magic at or after `from`; bytes.size()
// where there is none.
std::size_t find_record(base::ByteView bytes, std::size_t from);

}  // namespace muster::backup
