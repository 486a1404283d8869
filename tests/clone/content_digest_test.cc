// One number for what an image holds, however it came: in whatever pieces, with its holes told or read as zeroes.
#include "clone/content_digest.h"

#include <vector>

#include <gtest/gtest.h>

namespace muster::clone {
namespace {

constexpr std::size_t kBlock = ContentDigest::kBlockBytes;

struct Piece {
  std::uint64_t offset;
  std::string bytes;
};

std::string digest_of(const std::vector<Piece>& pieces) {
  ContentDigest digest;
  for (const auto& piece : pieces) digest.add(piece.offset, piece.bytes);
  return digest.finish();
}

// Bytes that are different everywhere, and nowhere zero.
std::string some_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  std::uint32_t state = 1;
  for (auto& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>((state >> 24) | 1U);
  }
  return bytes;
}

std::string zeroes(std::size_t count) { return std::string(count, '\0'); }

// By Python's hashlib, from the header's words.
TEST(ContentDigest, IsAsItsFormatSays) {
  EXPECT_EQ(digest_of({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest_of({{0, "abc"}}), "470dfeeaa89d8cd0455b0c96a78f6140ccb37ae71f09b5bf67ac2f7424e55b31");
  EXPECT_EQ(digest_of({{0, "begin"}, {2 * kBlock - 1, "xy"}, {299 * kBlock + 7, "end"}}),
            "88dd3b28959b92d49d1e8078a6829ca4c9b1c78af717ef3dcf28a5e5d651e3e7");
}

TEST(ContentDigest, IsTheSameInWhateverPieces) {
  const std::string all = some_bytes(2 * kBlock + kBlock / 2);
  const std::string whole = digest_of({{0, all}});
  for (const std::size_t length :
       {std::size_t{4093}, kBlock / 2, kBlock - 1, kBlock, kBlock + 1, 2 * kBlock, all.size() - 1}) {
    std::vector<Piece> pieces;
    for (std::size_t at = 0; at < all.size(); at += length) pieces.push_back({at, all.substr(at, length)});
    EXPECT_EQ(digest_of(pieces), whole) << length;
  }
  EXPECT_EQ(digest_of({{0, ""}, {0, all}, {all.size(), ""}}), whole) << "empty pieces";
}

TEST(ContentDigest, ZeroesAndHolesAreTheSame) {
  const std::string data = some_bytes(1000);
  struct {
    const char* what;
    std::vector<Piece> with_holes, with_zeroes;
  } const cases[] = {
      {"nothing", {}, {{0, zeroes(3 * kBlock)}}},
      {"at the beginning", {{500, data}}, {{0, zeroes(500) + data}}},
      {"at the end", {{0, data}}, {{0, data + zeroes(kBlock)}}},
      {"within a block", {{0, data}, {5000, data}}, {{0, data + zeroes(4000) + data}}},
      {"over blocks", {{0, data}, {5 * kBlock, data}}, {{0, data + zeroes(5 * kBlock - 1000) + data}}},
      {"up to a border", {{kBlock, data}}, {{0, zeroes(kBlock)}, {kBlock, data}}},
      {"a part of them", {{0, data}, {3 * kBlock, data}}, {{0, data}, {kBlock, zeroes(kBlock)}, {3 * kBlock, data}}},
  };
  for (const auto& one : cases) EXPECT_EQ(digest_of(one.with_holes), digest_of(one.with_zeroes)) << one.what;
}

TEST(ContentDigest, ChangesWithEveryBitAndPlace) {
  const std::string data = some_bytes(kBlock);
  const std::string before = digest_of({{0, data}});
  for (const std::size_t at : {std::size_t{0}, kBlock / 2, kBlock - 1}) {
    std::string flipped = data;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    EXPECT_NE(digest_of({{0, flipped}}), before) << at;
  }
  EXPECT_NE(digest_of({{kBlock, data}}), before) << "a block later";
  EXPECT_NE(digest_of({{1, data}}), before) << "a byte later";
  EXPECT_NE(digest_of({{0, data}, {kBlock, data}}), before) << "twice";
  EXPECT_NE(digest_of({{0, "ab"}, {kBlock, "cd"}}), digest_of({{0, "cd"}, {kBlock, "ab"}})) << "blocks change places";
}

TEST(ContentDigest, KnowsPlacesFarAway) {
  const std::uint64_t far = (std::uint64_t{1} << 60) + 3;
  EXPECT_EQ(digest_of({{far, "abc"}}), digest_of({{far - 3, zeroes(3) + "a"}, {far + 1, "bc"}}));
  EXPECT_NE(digest_of({{far, "abc"}}), digest_of({{far + (std::uint64_t{1} << 40), "abc"}}));
}

}  // namespace
}  // namespace muster::clone
