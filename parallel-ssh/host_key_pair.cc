#include "parallel-ssh/host_key_pair.h"

#include <cstdint>
#include <memory>
#include <string_view>

#include <libssh/libssh.h>

#include "base/digest.h"
#include "base/error.h"
#include "parallel-ssh/host_key.h"

namespace muster::ssh {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kEd25519 = "ssh-ed25519";

struct Free {
  void operator()(ssh_key key) const { ssh_key_free(key); }
  void operator()(char* text) const { ssh_string_free_char(text); }
};
using Key = std::unique_ptr<ssh_key_struct, Free>;
using Text = std::unique_ptr<char, Free>;

Key generate(HostKeyKind kind) {
  constexpr int kRsaBits = 3072, kNistP256 = 256;
  ssh_key key = nullptr;
  const int rc = kind == HostKeyKind::ed25519 ? ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key)
                 : kind == HostKeyKind::ecdsa ? ssh_pki_generate(SSH_KEYTYPE_ECDSA, kNistP256, &key)
                                              : ssh_pki_generate(SSH_KEYTYPE_RSA, kRsaBits, &key);
  if (rc != SSH_OK) throw Error(Code::io, "a host key cannot be made");
  return Key(key);
}

std::optional<std::string> public_line_of(ssh_key key) {
  char* shared = nullptr;
  if (ssh_pki_export_pubkey_base64(key, &shared) != SSH_OK) return std::nullopt;
  const Text text(shared);
  const auto type = key_type(base::base64_decode(text.get()).value_or(""));
  return type ? std::optional(*type + " " + text.get()) : std::nullopt;
}

// Of a private key as OpenSSH writes it (PROTOCOL.key in its sources), field by field.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : left_(bytes) {}
  std::string_view take(std::size_t count) {
    if (count > left_.size()) throw Error(Code::usage, "not a host key that dropbear can have");
    const auto bytes = left_.substr(0, count);
    left_.remove_prefix(count);
    return bytes;
  }
  std::uint32_t number() {
    std::uint32_t value = 0;
    for (const char c : take(4)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view string() { return take(number()); }

 private:
  std::string_view left_;
};

std::string with_length(std::string_view bytes) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(bytes.size() >> shift & 0xff);
  return text + std::string(bytes);
}

// What stands between the first line and the last.
std::string body_of(const std::string& pem) {
  std::string body;
  for (std::size_t at = pem.find('\n'); at != std::string::npos && pem.compare(at + 1, 5, "-----") != 0;) {
    const std::size_t end = pem.find('\n', at + 1);
    body += pem.substr(at + 1, end == std::string::npos ? end : end - at - 1);
    at = end;
  }
  return base::base64_decode(body).value_or("");
}

}  // namespace

HostKeyPair make_host_key_pair(HostKeyKind kind) {
  const Key key = generate(kind);
  char* secret = nullptr;
  const int rc = ssh_pki_export_privkey_base64(key.get(), nullptr, nullptr, nullptr, &secret);
  const Text private_text(secret);
  auto public_line = public_line_of(key.get());
  if (rc != SSH_OK || !public_line) throw Error(Code::io, "a host key cannot be written");
  return {.private_text = private_text.get(), .public_line = std::move(*public_line)};
}

std::optional<std::string> public_line_of_openssh(const std::string& private_text) {
  ssh_key key = nullptr;
  const int rc = ssh_pki_import_privkey_base64(private_text.c_str(), nullptr, nullptr, nullptr, &key);
  const Key owned(key);
  return rc == SSH_OK ? public_line_of(key) : std::nullopt;
}

std::optional<std::string> public_line_of_dropbear(std::string_view key) {
  constexpr std::size_t kHalf = 32;
  try {
    Fields fields(key);
    if (fields.string() != kEd25519) return std::nullopt;
    const std::string_view halves = fields.string();
    if (halves.size() != 2 * kHalf) return std::nullopt;
    const std::string blob = with_length(kEd25519) + with_length(halves.substr(kHalf));
    return std::string(kEd25519) + " " + base::base64_encode(blob);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string dropbear_host_key(const HostKeyPair& key) {
  constexpr std::string_view kMagic("openssh-key-v1\0", 15);
  const std::string bytes = body_of(key.private_text);
  Fields outer(bytes);
  const auto wrong = [] { return Error(Code::usage, "dropbear is given ed25519 keys without a passphrase alone"); };
  if (outer.take(kMagic.size()) != kMagic || outer.string() != "none" || outer.string() != "none") throw wrong();
  outer.string();  // options of the key derivation
  if (outer.number() != 1) throw wrong();
  outer.string();  // the public half
  Fields inner(outer.string());
  inner.take(8);  // twice the same, by which a wrong passphrase is known
  if (inner.string() != kEd25519) throw wrong();
  inner.string();  // the public half
  return with_length(kEd25519) + with_length(inner.string());
}

}  // namespace muster::ssh
