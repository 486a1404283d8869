#include "backup/compression.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include <zstd.h>

#include "base/error.h"

namespace muster::backup {
namespace {

using base::ByteView;

void require(bool done, const char* what) {
  if (!done) throw base::Error(base::Code::io, std::string("zstd cannot ") + what);
}

}  // namespace

void Compressor::Free::operator()(ZSTD_CCtx_s* context) const noexcept { ZSTD_freeCCtx(context); }

Compressor::Compressor(int level) : context_(ZSTD_createCCtx()) {
  require(context_ != nullptr, "start");
  require(ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level)) == 0, "take its level");
}
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;
Compressor::~Compressor() = default;

std::optional<std::size_t> Compressor::compress(ByteView plain, base::MutableBytes into) {
  if (plain.size() < 2 || looks_incompressible(plain)) return std::nullopt;
  const std::size_t packed =
      ZSTD_compress2(context_.get(), into.data(), std::min(into.size(), plain.size() - 1), plain.data(), plain.size());
  // It says so where the result would not fit.
  if (ZSTD_isError(packed) != 0) return std::nullopt;
  return packed;
}

void Decompressor::Free::operator()(ZSTD_DCtx_s* context) const noexcept { ZSTD_freeDCtx(context); }

Decompressor::Decompressor() : context_(ZSTD_createDCtx()) { require(context_ != nullptr, "start"); }
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;
Decompressor::~Decompressor() = default;

bool Decompressor::decompress(ByteView packed, base::MutableBytes into) {
  const std::size_t plain = ZSTD_decompressDCtx(context_.get(), into.data(), into.size(), packed.data(), packed.size());
  return ZSTD_isError(plain) == 0 && plain == into.size();
}

bool looks_incompressible(ByteView plain) {
  constexpr std::size_t kSamples = 16, kSampleBytes = 256, kLeast = 4 * kSamples * kSampleBytes;
  if (plain.size() < kLeast) return false;
  std::array<std::uint32_t, 256> counts{};
  const std::size_t stride = plain.size() / kSamples;
  for (std::size_t sample = 0; sample < kSamples; ++sample)
    for (const std::byte byte : plain.subspan(sample * stride, kSampleBytes)) ++counts[std::to_integer<unsigned>(byte)];
  // The sum of squares is least where all bytes are as frequent: n * n / 256 + n for chance alone. Text has twenty
  // times that, machine code five.
  constexpr std::uint64_t kCount = kSamples * kSampleBytes, kEven = kCount * kCount / 256 + kCount;
  std::uint64_t squares = 0;
  for (const std::uint64_t count : counts) squares += count * count;
  return squares < kEven + kEven / 16;
}

}  // namespace muster::backup
