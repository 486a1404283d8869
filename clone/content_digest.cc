#include "clone/content_digest.h"

#include <array>

namespace muster::clone {
namespace {

std::array<char, 8> little_endian(std::uint64_t number) {
  std::array<char, 8> bytes{};
  for (auto& byte : bytes) {
    byte = static_cast<char>(number & 0xff);
    number >>= 8;
  }
  return bytes;
}

}  // namespace

void ContentDigest::close_block() {
  // Zeroes at a block's end are as good as not there: a hole may begin anywhere.
  block_.resize(block_.find_last_not_of('\0') + 1);
  if (!block_.empty()) {
    const auto index = little_endian(index_);
    all_.add({index.data(), index.size()});
    all_.add(base::as_text(base::sha256(block_)));
  }
  block_.clear();
}

void ContentDigest::add(std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::uint64_t index = offset / kBlockBytes, within = offset % kBlockBytes;
    if (index != index_) {
      close_block();
      index_ = index;
    }
    block_.resize(within);  // with zeroes, where a hole was
    const auto piece = bytes.substr(0, kBlockBytes - within);
    block_ += piece;
    bytes.remove_prefix(piece.size());
    offset += piece.size();
  }
}

std::string ContentDigest::finish() {
  close_block();
  return base::hex(base::as_text(all_.finish()));
}

}  // namespace muster::clone
