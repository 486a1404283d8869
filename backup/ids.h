// Names of what lies in a repository: 16 random bytes for objects, keys, hosts and sessions, 32 bytes of keyed hash for
// chunks and map pages. In object names and documents they are lower-case hexadecimal. Pure values.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace muster::backup {

template <std::size_t N>
struct FixedId {
  std::array<std::byte, N> bytes{};

  base::ByteView view() const { return bytes; }
  bool is_zero() const { return bytes == std::array<std::byte, N>{}; }
  auto operator<=>(const FixedId&) const = default;
};

using ObjectId = FixedId<16>;
using ChunkId = FixedId<32>;

std::string hex(const ObjectId& id);
std::string hex(const ChunkId& id);

// Throws base::Error{corrupt} naming `what` for anything but as many lower-case hexadecimal digits as it takes.
ObjectId parse_object_id(std::string_view text, std::string_view what);
ChunkId parse_chunk_id(std::string_view text, std::string_view what);

ObjectId random_object_id();

// Eight bytes of a chunk id as a number, the first byte the most significant: ids are uniform, so it serves as a hash
// and as a place among sorted ids.
std::uint64_t prefix_of(const ChunkId& id, std::size_t from = 0);

}  // namespace muster::backup

template <std::size_t N>
struct std::hash<muster::backup::FixedId<N>> {
  std::size_t operator()(const muster::backup::FixedId<N>& id) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, id.bytes.data(), sizeof value);
    return value;
  }
};
