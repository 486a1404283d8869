// The cryptography of a repository, all of it OpenSSL's: keyed hashes, AES-256-GCM, HKDF, scrypt, X25519 sealing and
// Ed25519 signatures. What each is used for stands in muster-repository(7). Functions are thread-safe, objects are not.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "backup/ids.h"
#include "base/bytes.h"

struct evp_mac_ctx_st;
struct evp_cipher_ctx_st;

namespace muster::backup {

// 32 secret bytes, wiped when they go.
class Secret {
 public:
  static constexpr std::size_t kBytes = 32;

  Secret() = default;
  // Exactly 32 bytes, otherwise Error{corrupt}.
  explicit Secret(base::ByteView bytes);
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret();
  static Secret random();

  base::ByteView view() const { return bytes_; }
  // Takes the same time wherever they differ.
  bool operator==(const Secret& other) const;

 private:
  std::array<std::byte, kBytes> bytes_{};
};

using PublicKey = std::array<std::byte, 32>;
using Signature = std::array<std::byte, 64>;
using Sha256 = std::array<std::byte, 32>;

Sha256 sha256(base::ByteView bytes);

// HKDF with SHA-256 (RFC 5869), 32 bytes. The salt is not empty.
Secret derive(const Secret& from, base::ByteView salt, std::string_view purpose);

struct ScryptCost {
  std::uint64_t n = 1U << 15;
  std::uint32_t r = 8, p = 3;
};
// scrypt (RFC 7914). Throws Error{corrupt} for a cost above what muster ever writes: it would be an attack on memory.
Secret derive_from_passphrase(std::string_view passphrase, base::ByteView salt, const ScryptCost& cost);

// HMAC-SHA-256 (RFC 2104) of many messages under one key.
class KeyedHash {
 public:
  explicit KeyedHash(const Secret& key);
  KeyedHash(KeyedHash&&) noexcept;
  KeyedHash& operator=(KeyedHash&&) noexcept;
  ~KeyedHash();

  ChunkId operator()(base::ByteView message);

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_mac_ctx_st, Free> context_;
};

using Nonce = std::array<std::byte, 12>;

// AES-256-GCM (NIST SP 800-38D) under one key.
class Aead {
 public:
  static constexpr std::size_t kTagBytes = 16;

  explicit Aead(const Secret& key);
  Aead(Aead&&) noexcept;
  Aead& operator=(Aead&&) noexcept;
  ~Aead();

  // `into` is as long as `plain` and a tag, and may begin with it. The caller never uses a nonce twice.
  void seal(const Nonce& nonce, base::ByteView associated, base::ByteView plain, base::MutableBytes into);
  // `into` is as long as `sealed` without its tag. False where it was not sealed by this key with these associated
  // data; `into` holds nothing then.
  bool open(const Nonce& nonce, base::ByteView associated, base::ByteView sealed, base::MutableBytes into);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_cipher_ctx_st, Free> seal_, open_;
};

// X25519 (RFC 7748).
PublicKey x25519_public_key(const Secret& private_key);
// A secret for the owner of `recipient` alone: an ephemeral public key, then the secret under AES-256-GCM.
constexpr std::size_t kSealedSecretBytes = 32 + Secret::kBytes + Aead::kTagBytes;
using SealedSecret = std::array<std::byte, kSealedSecretBytes>;
SealedSecret seal_secret(const Secret& secret, const PublicKey& recipient, base::ByteView associated);
std::optional<Secret> open_secret(const SealedSecret& sealed, const Secret& private_key, base::ByteView associated);

// Ed25519 (RFC 8032).
PublicKey ed25519_public_key(const Secret& seed);
Signature sign(const Secret& seed, base::ByteView message);
bool verify(const PublicKey& key, const Signature& signature, base::ByteView message);

}  // namespace muster::backup
