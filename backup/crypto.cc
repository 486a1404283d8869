#include "backup/crypto.h"

#include <algorithm>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/digest.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::ByteView;
using base::Code;
using base::Error;
using base::MutableBytes;

const unsigned char* in(ByteView bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* out(MutableBytes bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }
int length(ByteView bytes) { return static_cast<int>(bytes.size()); }
// OpenSSL's parameters take no pointers to const, and write nothing.
void* parameter(ByteView bytes) { return const_cast<std::byte*>(bytes.data()); }  // NOLINT

void require(bool done, const char* what) {
  if (!done) throw Error(Code::io, std::string("OpenSSL cannot ") + what);
}

template <auto free>
struct Freed {
  template <typename T>
  void operator()(T* pointer) const noexcept {
    free(pointer);
  }
};
using OwnedKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using OwnedKeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using OwnedDigest = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;

Secret kdf(const char* name, const OSSL_PARAM* parameters) {
  const std::unique_ptr<EVP_KDF, Freed<EVP_KDF_free>> algorithm(EVP_KDF_fetch(nullptr, name, nullptr));
  require(algorithm != nullptr, "find a key derivation");
  const std::unique_ptr<EVP_KDF_CTX, Freed<EVP_KDF_CTX_free>> context(EVP_KDF_CTX_new(algorithm.get()));
  std::array<std::byte, Secret::kBytes> bytes{};
  require(context != nullptr && EVP_KDF_derive(context.get(), out(bytes), bytes.size(), parameters) == 1,
          "derive a key");
  const Secret derived{ByteView(bytes)};
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return derived;
}

OwnedKey private_key(int type, const Secret& secret) {
  OwnedKey key(EVP_PKEY_new_raw_private_key(type, nullptr, in(secret.view()), Secret::kBytes));
  require(key != nullptr, "make a private key");
  return key;
}

PublicKey public_key(int type, const Secret& secret) {
  PublicKey bytes{};
  std::size_t size = bytes.size();
  require(EVP_PKEY_get_raw_public_key(private_key(type, secret).get(), out(bytes), &size) == 1, "make a public key");
  return bytes;
}

// The key between the owner of `own` and that of `other`, bound to both ends. nullopt for a public key of low order.
std::optional<Secret> agreed_key(const Secret& own, const PublicKey& other, ByteView both_ends) {
  const OwnedKey mine = private_key(EVP_PKEY_X25519, own);
  const OwnedKey theirs(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, in(other), other.size()));
  const OwnedKeyContext context(EVP_PKEY_CTX_new(mine.get(), nullptr));
  std::array<std::byte, Secret::kBytes> shared{};
  std::size_t size = shared.size();
  if (!theirs || !context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), theirs.get()) != 1 ||
      EVP_PKEY_derive(context.get(), out(shared), &size) != 1)
    return std::nullopt;
  const Secret secret{ByteView(shared)};
  OPENSSL_cleanse(shared.data(), shared.size());
  return derive(secret, both_ends, "muster sealed secret");
}

base::Bytes both_ends(ByteView ephemeral, const PublicKey& recipient) {
  base::Bytes ends;
  base::ByteWriter write(ends);
  write.raw(ephemeral);
  write.raw(recipient);
  return ends;
}

}  // namespace

Secret::Secret(ByteView bytes) {
  if (bytes.size() != kBytes) throw Error(Code::corrupt, "a secret has another length than 32 bytes");
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

Secret::~Secret() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Secret Secret::random() {
  std::string bytes = base::random_bytes(kBytes);
  const Secret secret(base::as_bytes(bytes));
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return secret;
}

bool Secret::operator==(const Secret& other) const {
  return CRYPTO_memcmp(bytes_.data(), other.bytes_.data(), kBytes) == 0;
}

Sha256 sha256(ByteView bytes) {
  Sha256 digest{};
  require(EVP_Digest(bytes.data(), bytes.size(), out(digest), nullptr, EVP_sha256(), nullptr) == 1, "digest");
  return digest;
}

Secret derive(const Secret& from, ByteView salt, std::string_view purpose) {
  char sha256_name[] = "SHA256";
  const std::array parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256_name, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, parameter(from.view()), Secret::kBytes),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, parameter(salt), salt.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, parameter(base::as_bytes(purpose)), purpose.size()),
      OSSL_PARAM_construct_end()};
  return kdf("HKDF", parameters.data());
}

Secret derive_from_passphrase(std::string_view passphrase, ByteView salt, const ScryptCost& cost) {
  constexpr std::uint64_t kMaxN = 1U << 20, kMaxMemory = std::uint64_t{1} << 31;
  constexpr std::uint32_t kMaxR = 16, kMaxP = 16;
  const bool sane = cost.n >= 2 && cost.n <= kMaxN && (cost.n & (cost.n - 1)) == 0 && cost.r >= 1 && cost.r <= kMaxR &&
                    cost.p >= 1 && cost.p <= kMaxP;
  if (!sane) throw Error(Code::corrupt, "a key slot asks for an scrypt cost that muster does not write");
  std::uint64_t n = cost.n, memory = kMaxMemory;
  std::uint32_t r = cost.r, p = cost.p;
  const std::array parameters{OSSL_PARAM_construct_octet_string(
                                  OSSL_KDF_PARAM_PASSWORD, parameter(base::as_bytes(passphrase)), passphrase.size()),
                              OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, parameter(salt), salt.size()),
                              OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
                              OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
                              OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
                              OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
                              OSSL_PARAM_construct_end()};
  return kdf("SCRYPT", parameters.data());
}

void KeyedHash::Free::operator()(evp_mac_ctx_st* context) const noexcept { EVP_MAC_CTX_free(context); }

KeyedHash::KeyedHash(const Secret& key) {
  const std::unique_ptr<EVP_MAC, Freed<EVP_MAC_free>> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  require(mac != nullptr, "find HMAC");
  context_.reset(EVP_MAC_CTX_new(mac.get()));
  char sha256_name[] = "SHA256";
  const std::array parameters{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256_name, 0),
                              OSSL_PARAM_construct_end()};
  require(context_ && EVP_MAC_init(context_.get(), in(key.view()), Secret::kBytes, parameters.data()) == 1,
          "start an HMAC");
}
KeyedHash::KeyedHash(KeyedHash&&) noexcept = default;
KeyedHash& KeyedHash::operator=(KeyedHash&&) noexcept = default;
KeyedHash::~KeyedHash() = default;

ChunkId KeyedHash::operator()(ByteView message) {
  ChunkId id;
  std::size_t size = 0;
  require(EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1 &&
              EVP_MAC_update(context_.get(), in(message), message.size()) == 1 &&
              EVP_MAC_final(context_.get(), out(id.bytes), &size, id.bytes.size()) == 1,
          "compute an HMAC");
  return id;
}

void Aead::Free::operator()(evp_cipher_ctx_st* context) const noexcept { EVP_CIPHER_CTX_free(context); }

Aead::Aead(const Secret& key) : seal_(EVP_CIPHER_CTX_new()), open_(EVP_CIPHER_CTX_new()) {
  require(seal_ && open_ && EVP_EncryptInit_ex(seal_.get(), EVP_aes_256_gcm(), nullptr, in(key.view()), nullptr) == 1 &&
              EVP_DecryptInit_ex(open_.get(), EVP_aes_256_gcm(), nullptr, in(key.view()), nullptr) == 1,
          "start AES-256-GCM");
}
Aead::Aead(Aead&&) noexcept = default;
Aead& Aead::operator=(Aead&&) noexcept = default;
Aead::~Aead() = default;

void Aead::seal(const Nonce& nonce, ByteView associated, ByteView plain, MutableBytes into) {
  int done = 0, last = 0;
  const MutableBytes tag = into.last(kTagBytes);
  require(EVP_EncryptInit_ex(seal_.get(), nullptr, nullptr, nullptr, in(nonce)) == 1 &&
              EVP_EncryptUpdate(seal_.get(), nullptr, &done, in(associated), length(associated)) == 1 &&
              EVP_EncryptUpdate(seal_.get(), out(into), &done, in(plain), length(plain)) == 1 &&
              EVP_EncryptFinal_ex(seal_.get(), out(into) + done, &last) == 1 &&
              EVP_CIPHER_CTX_ctrl(seal_.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag.data()) == 1,
          "encrypt");
}

bool Aead::open(const Nonce& nonce, ByteView associated, ByteView sealed, MutableBytes into) {
  if (sealed.size() < kTagBytes) return false;
  int done = 0, last = 0;
  const ByteView text = sealed.first(sealed.size() - kTagBytes), tag = sealed.last(kTagBytes);
  const bool good = EVP_DecryptInit_ex(open_.get(), nullptr, nullptr, nullptr, in(nonce)) == 1 &&
                    EVP_DecryptUpdate(open_.get(), nullptr, &done, in(associated), length(associated)) == 1 &&
                    EVP_DecryptUpdate(open_.get(), out(into), &done, in(text), length(text)) == 1 &&
                    EVP_CIPHER_CTX_ctrl(open_.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, parameter(tag)) == 1 &&
                    EVP_DecryptFinal_ex(open_.get(), out(into) + done, &last) == 1;
  if (!good) std::fill(into.begin(), into.end(), std::byte{});
  return good;
}

PublicKey x25519_public_key(const Secret& key) { return public_key(EVP_PKEY_X25519, key); }

SealedSecret seal_secret(const Secret& secret, const PublicKey& recipient, ByteView associated) {
  const Secret ephemeral = Secret::random();
  const PublicKey ephemeral_public = x25519_public_key(ephemeral);
  const auto key = agreed_key(ephemeral, recipient, both_ends(ephemeral_public, recipient));
  if (!key) throw Error(Code::corrupt, "the owner's public key cannot be used");
  SealedSecret sealed{};
  std::copy(ephemeral_public.begin(), ephemeral_public.end(), sealed.begin());
  Aead(*key).seal({}, associated, secret.view(), MutableBytes(sealed).subspan(ephemeral_public.size()));
  return sealed;
}

std::optional<Secret> open_secret(const SealedSecret& sealed, const Secret& own, ByteView associated) {
  PublicKey ephemeral{};
  std::copy_n(sealed.begin(), ephemeral.size(), ephemeral.begin());
  const auto key = agreed_key(own, ephemeral, both_ends(ephemeral, x25519_public_key(own)));
  std::array<std::byte, Secret::kBytes> bytes{};
  if (!key || !Aead(*key).open({}, associated, ByteView(sealed).subspan(ephemeral.size()), bytes)) return std::nullopt;
  const Secret secret{ByteView(bytes)};
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return secret;
}

PublicKey ed25519_public_key(const Secret& seed) { return public_key(EVP_PKEY_ED25519, seed); }

Signature sign(const Secret& seed, ByteView message) {
  const OwnedKey key = private_key(EVP_PKEY_ED25519, seed);
  const OwnedDigest context(EVP_MD_CTX_new());
  Signature signature{};
  std::size_t size = signature.size();
  require(context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
              EVP_DigestSign(context.get(), out(signature), &size, in(message), message.size()) == 1,
          "sign");
  return signature;
}

bool verify(const PublicKey& public_key, const Signature& signature, ByteView message) {
  const OwnedKey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, in(public_key), public_key.size()));
  const OwnedDigest context(EVP_MD_CTX_new());
  return key && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), in(signature), signature.size(), in(message), message.size()) == 1;
}

}  // namespace muster::backup
