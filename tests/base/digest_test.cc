#include "base/digest.h"

#include <gtest/gtest.h>

namespace muster::base {
namespace {

std::string view(const auto& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

TEST(Digest, Sha256OfPiecesIsThatOfTheWhole) {
  // FIPS 180-4, the example for "abc".
  EXPECT_EQ(hex(view(sha256("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256Stream stream;
  stream.add("a");
  stream.add("bc");
  EXPECT_EQ(view(stream.finish()), view(sha256("abc")));
}

TEST(Digest, HmacSha1FollowsRfc2202) {
  EXPECT_EQ(hex(view(hmac_sha1("Jefe", "what do ya want for nothing?"))), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

TEST(Digest, HmacUnderManyKeysIsTheSameAsAlone) {
  HmacSha1 hmac;
  EXPECT_EQ(hex(view(hmac("Jefe", "what do ya want for nothing?"))), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  for (const std::size_t length : {0U, 1U, 20U, 63U, 64U, 65U, 200U}) {
    const std::string key(length, 'k'), bytes(length, 'b');
    EXPECT_EQ(hmac(key, bytes), hmac_sha1(key, bytes)) << length;
  }
}

TEST(Digest, Base64RoundTripsAndRefusesGarbage) {
  for (const std::string bytes : {"", "a", "ab", "abc", "\xff\x00\x01"}) {
    const auto decoded = base64_decode(base64_encode(bytes));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, bytes);
  }
  EXPECT_FALSE(base64_decode("abc"));
  EXPECT_FALSE(base64_decode("ab!="));
}

}  // namespace
}  // namespace muster::base
