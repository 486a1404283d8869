// The cryptography against the vectors that its standards publish.
#include "backup/crypto.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/error.h"

namespace muster::backup {
namespace {

base::Bytes unhex(std::string_view digits) {
  base::Bytes bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
  return bytes;
}

std::string to_hex(base::ByteView bytes) { return base::hex(base::as_text(bytes)); }

// RFC 4231, test case 6, has a key longer than ours; case 1's 20 bytes of 0x0b are shorter. With 32 zero bytes in place
// of padding HMAC pads the same way: RFC 4231, case 2's key `Jefe` filled up with zeroes is the same key.
TEST(Crypto, KeyedHashIsHmacSha256) {
  base::Bytes key(32);
  std::memcpy(key.data(), "Jefe", 4);
  KeyedHash hash{Secret(key)};
  const auto message = base::as_bytes("what do ya want for nothing?");
  const std::string expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
  EXPECT_EQ(to_hex(hash(message).view()), expected);
  EXPECT_EQ(to_hex(hash(message).view()), expected) << "the second of one object";
}

// RFC 5869, A.1, has 22 bytes of key material: HKDF takes it through HMAC as a message, so it cannot be padded; what
// can be held against it is that the same comes out of the two steps by hand.
TEST(Crypto, DerivationIsExtractThenExpand) {
  const Secret input(unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"));
  base::Bytes salt(32, std::byte{7});
  const ChunkId extracted = KeyedHash(Secret(salt))(input.view());
  base::Bytes info{std::byte{'i'}, std::byte{'n'}, std::byte{1}};
  const ChunkId expanded = KeyedHash(Secret(extracted.view()))(info);
  EXPECT_EQ(to_hex(derive(input, salt, "in").view()), to_hex(expanded.view()));
}

// RFC 7914, section 12: the third vector, whose first half is what 32 bytes get.
TEST(Crypto, PassphrasesGoThroughScrypt) {
  const Secret key =
      derive_from_passphrase("pleaseletmein", base::as_bytes("SodiumChloride"), {.n = 16384, .r = 8, .p = 1});
  EXPECT_EQ(to_hex(key.view()), "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2");
  EXPECT_THROW(derive_from_passphrase("x", base::as_bytes("y"), {.n = 1U << 30, .r = 8, .p = 1}), base::Error);
  EXPECT_THROW(derive_from_passphrase("x", base::as_bytes("y"), {.n = 1000, .r = 8, .p = 1}), base::Error);
}

// The GCM specification's test case 16 (McGrew, Viega: The Galois/Counter Mode of Operation, appendix B).
TEST(Crypto, AeadIsAes256Gcm) {
  Aead aead{Secret(unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"))};
  Nonce nonce{};
  const auto iv = unhex("cafebabefacedbaddecaf888");
  std::copy(iv.begin(), iv.end(), nonce.begin());
  const auto associated = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const auto plain = unhex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
      "ba637b39");
  base::Bytes sealed(plain.size() + Aead::kTagBytes);
  aead.seal(nonce, associated, plain, sealed);
  EXPECT_EQ(
      to_hex(sealed),
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a"
      "0abcc9f662"
      "76fc6ece0f4e1768cddf8853bb2d551b");
  base::Bytes opened(plain.size());
  EXPECT_TRUE(aead.open(nonce, associated, sealed, opened));
  EXPECT_EQ(opened, plain);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    sealed[i] ^= std::byte{1};
    EXPECT_FALSE(aead.open(nonce, associated, sealed, opened));
    EXPECT_EQ(opened, base::Bytes(plain.size())) << "nothing of what is wrong is given out";
    sealed[i] ^= std::byte{1};
  }
}

// RFC 8032, section 7.1, test 2.
TEST(Crypto, SignaturesAreEd25519) {
  const Secret seed(unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
  EXPECT_EQ(to_hex(ed25519_public_key(seed)), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const auto message = unhex("72");
  const Signature signature = sign(seed, message);
  EXPECT_EQ(
      to_hex(signature),
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a"
      "eeb00d291612bb0c00");
  EXPECT_TRUE(verify(ed25519_public_key(seed), signature, message));
  EXPECT_FALSE(verify(ed25519_public_key(seed), signature, unhex("73")));
}

// RFC 7748, section 6.1.
TEST(Crypto, SealingIsX25519) {
  const Secret owner(unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
  EXPECT_EQ(to_hex(x25519_public_key(owner)), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const Secret secret = Secret::random();
  const auto about = base::as_bytes("about");
  auto sealed = seal_secret(secret, x25519_public_key(owner), about);
  EXPECT_EQ(open_secret(sealed, owner, about), secret);
  EXPECT_EQ(open_secret(sealed, owner, base::as_bytes("other")), std::nullopt);
  EXPECT_EQ(open_secret(sealed, Secret::random(), about), std::nullopt);
  for (auto& byte : sealed) {
    byte ^= std::byte{1};
    EXPECT_EQ(open_secret(sealed, owner, about), std::nullopt);
    byte ^= std::byte{1};
  }
  // A public key of low order agrees on nothing.
  std::fill_n(sealed.begin(), 32, std::byte{});
  EXPECT_EQ(open_secret(sealed, owner, about), std::nullopt);
}

}  // namespace
}  // namespace muster::backup
