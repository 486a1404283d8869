// How large a disk is to become, as users write it (cli.md): `20G`, or `+10G` and `-10G` from what it is. Pure values.
#pragma once

#include <cstdint>
#include <string_view>

namespace muster::disk {

// Images are made of whole sectors of this size, whatever the guest's are.
inline constexpr std::uint64_t kImageSectorBytes = 512;

struct SizeWish {
  enum class From { nothing, grown, shrunk } from = From::nothing;
  std::uint64_t bytes = 0;

  bool operator==(const SizeWish&) const = default;
};

// Throws base::Error{usage}.
SizeWish parse_size_wish(std::string_view text);

// Of a disk that has `current_bytes`, rounded up to whole sectors. Throws base::Error{usage} for nothing or less, or
// more than a file can have.
std::uint64_t wished_size(const SizeWish& wish, std::uint64_t current_bytes);

}  // namespace muster::disk
