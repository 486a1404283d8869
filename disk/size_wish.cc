#include "disk/size_wish.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;

constexpr std::uint64_t kMostBytes = std::numeric_limits<std::int64_t>::max() / kImageSectorBytes * kImageSectorBytes;

}  // namespace

SizeWish parse_size_wish(std::string_view text) {
  if (text.starts_with('+')) return {SizeWish::From::grown, base::parse_size(text.substr(1))};
  if (text.starts_with('-')) return {SizeWish::From::shrunk, base::parse_size(text.substr(1))};
  return {SizeWish::From::nothing, base::parse_size(text)};
}

std::uint64_t wished_size(const SizeWish& wish, std::uint64_t current_bytes) {
  if (wish.from == SizeWish::From::shrunk && wish.bytes >= current_bytes)
    throw Error(Code::usage, fmt::format("{} bytes less would leave nothing of {}", wish.bytes, current_bytes));
  const std::uint64_t base = wish.from == SizeWish::From::nothing ? 0 : current_bytes;
  if (wish.from != SizeWish::From::shrunk && wish.bytes > kMostBytes - std::min(base, kMostBytes))
    throw Error(Code::usage, fmt::format("no image can have so many bytes: {}", wish.bytes));
  const std::uint64_t exact = wish.from == SizeWish::From::shrunk ? base - wish.bytes : base + wish.bytes;
  if (exact == 0) throw Error(Code::usage, "a disk has to have some size");
  return (exact + kImageSectorBytes - 1) / kImageSectorBytes * kImageSectorBytes;
}

}  // namespace muster::disk
