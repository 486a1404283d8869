// Bytes as formats have them: views, little-endian numbers written and read in order. A reader never goes beyond its
// bytes, whatever they say. Pure values; not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster::base {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline ByteView as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view as_text(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Appends to `bytes`.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& bytes) : bytes_(bytes) {}

  void u8(std::uint8_t value) { number(value); }
  void u16(std::uint16_t value) { number(value); }
  void u32(std::uint32_t value) { number(value); }
  void u64(std::uint64_t value) { number(value); }
  // Out of line: inlined into short callers, g++ 12 warns of overflows that are not there.
  void raw(ByteView bytes);
  void zeroes(std::size_t count) { bytes_.resize(bytes_.size() + count); }

 private:
  template <typename Number>
  void number(Number value) {
    std::array<std::byte, sizeof(Number)> little{};
    for (std::size_t i = 0; i < sizeof(Number); ++i)
      little[i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
    raw(little);
  }
  Bytes& bytes_;
};

// Reads from the front. Every call throws Error{corrupt}, naming `what`, where too few bytes are left.
class ByteReader {
 public:
  ByteReader(ByteView bytes, std::string_view what) : left_(bytes), what_(what) {}

  std::uint8_t u8() { return number<std::uint8_t>(); }
  std::uint16_t u16() { return number<std::uint16_t>(); }
  std::uint32_t u32() { return number<std::uint32_t>(); }
  std::uint64_t u64() { return number<std::uint64_t>(); }
  ByteView raw(std::size_t count);
  template <std::size_t N>
  std::array<std::byte, N> array() {
    std::array<std::byte, N> bytes{};
    std::memcpy(bytes.data(), raw(N).data(), N);
    return bytes;
  }
  std::size_t left() const { return left_.size(); }
  // Throws Error{corrupt} where something is left.
  void expect_end() const;

 private:
  template <typename Number>
  Number number() {
    const ByteView bytes = raw(sizeof(Number));
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i) value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
    return static_cast<Number>(value);
  }
  ByteView left_;
  std::string_view what_;
};

}  // namespace muster::base
