// Digests, base64 and random bytes, over OpenSSL's EVP interface. Pure functions but for random_bytes; thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct evp_md_ctx_st;
struct evp_md_st;

namespace muster::base {

using Sha256Digest = std::array<unsigned char, 32>;
using Sha1Digest = std::array<unsigned char, 20>;

Sha256Digest sha256(std::string_view bytes);
Sha1Digest hmac_sha1(std::string_view key, std::string_view bytes);

// HMAC-SHA-1 under many keys in a row: a third of hmac_sha1's time, which sets everything up anew for each.
class HmacSha1 {
 public:
  HmacSha1();
  HmacSha1(HmacSha1&&) noexcept;
  HmacSha1& operator=(HmacSha1&&) noexcept;
  ~HmacSha1();

  // Quick for keys of up to 64 bytes, SHA-1's block.
  Sha1Digest operator()(std::string_view key, std::string_view bytes);

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
    void operator()(evp_md_st* algorithm) const noexcept;
  };
  void digest(std::string_view first, std::string_view second, Sha1Digest& result);

  std::unique_ptr<evp_md_st, Free> algorithm_;
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// SHA-256 of bytes that come in pieces.
class Sha256Stream {
 public:
  Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  ~Sha256Stream();
  void add(std::string_view bytes);
  // Call once, last.
  Sha256Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// A view of its bytes: the digest has to outlive it.
template <std::size_t kBytes>
std::string_view as_text(const std::array<unsigned char, kBytes>& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string base64_encode(std::string_view bytes);
// Standard alphabet with padding, no white space. nullopt for anything else.
std::optional<std::string> base64_decode(std::string_view text);

// From the operating system's generator. Throws Error{io}.
std::string random_bytes(std::size_t count);
std::string hex(std::string_view bytes);

}  // namespace muster::base
