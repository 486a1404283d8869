// Packs: some thousand records in one object, with the keys they need and a table at the end. One can be listed by its
// table, or without it by its records alone (muster-repository(7), "Packs"). Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "backup/credential.h"
#include "backup/crypto.h"
#include "backup/ids.h"
#include "backup/record.h"
#include "backup/storage.h"
#include "base/bytes.h"
#include "base/context.h"

namespace muster::backup {

constexpr std::size_t kPackBytes = 32U << 20;
// Larger ones are not read.
constexpr std::uint64_t kMaxPackBytes = std::uint64_t{1} << 30;

// How a key that records name is come by.
struct PackKey {
  enum class Kind : std::uint8_t {
    metadata = 1,  // derived from the domain's metadata key and the key's id
    data = 2,      // sealed to the owner
  };
  ObjectId id{};
  Kind kind = Kind::metadata;
  Domain domain = kDefaultDomain;
  SealedSecret sealed{};  // of a data key
  auto operator<=>(const PackKey&) const = default;
};

// Where a record stands in its pack.
struct RecordPlace {
  ChunkId id{};
  std::uint32_t offset = 0;
  std::uint32_t record_bytes = 0;
  std::uint32_t plain_bytes = 0;
  RecordKind kind = RecordKind::chunk;
  bool operator==(const RecordPlace&) const = default;
};

// A pack that grows in memory until it is put.
class PackBuilder {
 public:
  // `expected_bytes`: of its records, for which room is made at once.
  explicit PackBuilder(const ObjectId& repository, std::size_t expected_bytes = 0)
      : repository_(repository), expected_bytes_(expected_bytes) {}

  bool empty() const { return places_.empty(); }
  // As it would be put now.
  std::size_t size_bytes() const;
  const ObjectId& id() const { return id_; }
  const std::vector<RecordPlace>& places() const { return places_; }

  // `record` is whole, and `key` the one it names.
  void add(const RecordHeader& header, base::ByteView record, const PackKey& key);
  // The bytes of the object, in pieces that live as long as the builder.
  std::vector<base::ByteView> finish();
  // Ready for another pack, with a new id.
  void reset();

 private:
  ObjectId repository_;
  std::size_t expected_bytes_;
  ObjectId id_ = random_object_id();
  std::vector<PackKey> keys_;
  base::Bytes head_, records_, tail_;
  std::vector<RecordPlace> places_;
};

struct PackContents {
  std::vector<PackKey> keys;
  std::vector<RecordPlace> places;  // offsets are those in the object
};

// From the table to the end of the object.
std::uint64_t pack_tail_bytes(const PackContents& contents);

// By the table at the end. Throws Error{corrupt} where that or the header is damaged, Error{not_found}.
PackContents read_pack_table(const base::Context& ctx, Storage& storage, const ObjectId& repository,
                             const ObjectId& pack);
// The same, of a whole pack in memory.
PackContents parse_pack_table(const ObjectId& repository, const ObjectId& pack, base::ByteView bytes);

// What is found without the table: every record that is whole, and the keys of whichever of the two lists is.
struct PackScan {
  PackContents contents;
  bool header_good = false;
  bool table_good = false;       // and agrees with the records
  std::uint64_t lost_bytes = 0;  // between records
};
PackScan scan_pack(const ObjectId& repository, const ObjectId& pack, base::ByteView bytes);

// The keys of a pack, by its header, or by its table where that is damaged. Throws Error{corrupt, not_found}.
std::vector<PackKey> read_pack_keys(const base::Context& ctx, Storage& storage, const ObjectId& repository,
                                    const ObjectId& pack);

}  // namespace muster::backup
