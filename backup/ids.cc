#include "backup/ids.h"

#include <optional>

#include "base/digest.h"
#include "base/error.h"

namespace muster::backup {
namespace {

std::optional<unsigned> digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  return std::nullopt;
}

template <std::size_t N>
FixedId<N> parse(std::string_view text, std::string_view what) {
  FixedId<N> id;
  bool good = text.size() == 2 * N;
  for (std::size_t i = 0; good && i < N; ++i) {
    const auto high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    good = high && low;
    if (good) id.bytes[i] = static_cast<std::byte>(*high << 4 | *low);
  }
  if (!good) throw base::Error(base::Code::corrupt, std::string(what) + ": no identifier");
  return id;
}

}  // namespace

std::string hex(const ObjectId& id) { return base::hex(base::as_text(id.view())); }
std::string hex(const ChunkId& id) { return base::hex(base::as_text(id.view())); }

ObjectId parse_object_id(std::string_view text, std::string_view what) { return parse<16>(text, what); }
ChunkId parse_chunk_id(std::string_view text, std::string_view what) { return parse<32>(text, what); }

ObjectId random_object_id() {
  ObjectId id;
  std::memcpy(id.bytes.data(), base::random_bytes(id.bytes.size()).data(), id.bytes.size());
  return id;
}

std::uint64_t prefix_of(const ChunkId& id, std::size_t from) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | std::to_integer<std::uint64_t>(id.bytes[from + i]);
  return value;
}

}  // namespace muster::backup
