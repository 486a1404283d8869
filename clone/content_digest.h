// What an image file holds as one number, whichever way its holes are stored: SHA-256 over, for each aligned 1 MiB that
// is not all zeroes, its index as 8 bytes, least significant first, and the SHA-256 of it without the zeroes at its
// end. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/digest.h"

namespace muster::clone {

class ContentDigest {
 public:
  static constexpr std::size_t kBlockBytes = 1U << 20;

  // In ascending order; what is left out between two pieces is zeroes.
  void add(std::uint64_t offset, std::string_view bytes);
  // In hexadecimal. Call once, last.
  std::string finish();

 private:
  void close_block();

  base::Sha256Stream all_;
  std::uint64_t index_ = 0;
  std::string block_;  // what is known of the block `index_`, from its beginning
};

}  // namespace muster::clone
