// Index tables with good checksums and signatures, and any content: whatever a host signs, looking something up gives
// places within a pack, or an error.
#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>

#include "backup/index_table.h"
#include "backup/object_names.h"
#include "base/error.h"
#include "tests/fakes/memory_storage.h"

namespace {

using namespace muster;
using namespace muster::backup;

constexpr std::size_t kHeaderBytes = 304;

std::uint64_t number(const base::Bytes& bytes, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value |= std::to_integer<std::uint64_t>(bytes[at + i]) << (8 * i);
  return value;
}

void write(base::Bytes& bytes, std::size_t at, base::ByteView value) {
  std::copy(value.begin(), value.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

// The sums of the four sections, the signature, and the header's own sum, as far as the object has what its header
// says.
void sign_all(base::Bytes& bytes, const std::string& name, const Secret& seed) {
  const std::uint64_t packs = number(bytes, 40, 4) % 64, entries = number(bytes, 48, 8) % 1024;
  const std::uint64_t filter = number(bytes, 56, 8) % 64;
  const std::array<std::uint64_t, 4> sizes{packs * 16, (entries + 63) / 64 * 8, filter * 64, entries * 48};
  std::size_t at = kHeaderBytes;
  for (std::size_t i = 0; i < sizes.size() && at + sizes[i] <= bytes.size(); at += sizes[i++])
    write(bytes, 64 + 32 * i, sha256(base::ByteView(bytes).subspan(at, sizes[i])));
  write(bytes, 192, signer_id(ed25519_public_key(seed)).view());
  base::Bytes message;
  base::ByteWriter writer(message);
  writer.raw(base::as_bytes("muster index signature"));
  writer.raw(base::as_bytes(name));
  writer.u8(0);
  writer.raw(base::ByteView(bytes).first(208));
  write(bytes, 208, sign(seed, message));
  write(bytes, 272, sha256(base::ByteView(bytes).first(272)));
}

void read_table(fakes::MemoryStorage& storage, const std::string& name, const ObjectId& id, const PublicKey& key) {
  const auto table = IndexTable::open({}, storage, {.name = name, .repository = {}, .kind = {}}, id,
                                      [&](const ObjectId&) { return std::optional(key); });
  const auto check = [&](const IndexEntry& entry) {
    if (entry.pack >= table.packs().size()) throw std::logic_error("an entry of no pack");
  };
  table.each({}, storage, check);
  for (unsigned i = 0; i < 256; i += 51) {
    ChunkId wanted;
    wanted.bytes.fill(static_cast<std::byte>(i));
    table.find({}, storage, wanted, check);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < kHeaderBytes) return 0;
  static const Secret seed = derive(Secret(), base::as_bytes("fuzz"), "signing");
  base::Bytes bytes(reinterpret_cast<const std::byte*>(data), reinterpret_cast<const std::byte*>(data) + size);
  write(bytes, 0, base::as_bytes("mstridx1"));
  std::fill(bytes.begin() + 8, bytes.begin() + 40, std::byte{});
  const ObjectId id;
  const std::string name = object_name(kIndexPrefix, id);
  sign_all(bytes, name, seed);
  fakes::MemoryStorage storage({{name, bytes}});
  try {
    read_table(storage, name, id, ed25519_public_key(seed));
  } catch (const base::Error&) {
    // That is an answer.
  }
  return 0;
}
