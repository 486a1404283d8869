#include "parallel-ssh/host_key_pair.h"

#include <memory>

#include <libssh/libssh.h>

#include "base/digest.h"
#include "base/error.h"
#include "parallel-ssh/host_key.h"
#include "parallel-ssh/private_key.h"
#include "parallel-ssh/wire.h"

namespace muster::ssh {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kEd25519 = "ssh-ed25519";

ssh_key generate(HostKeyKind kind) {
  constexpr int kRsaBits = 3072, kNistP256 = 256;
  ssh_key key = nullptr;
  const int rc = kind == HostKeyKind::ed25519 ? ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key)
                 : kind == HostKeyKind::ecdsa ? ssh_pki_generate(SSH_KEYTYPE_ECDSA, kNistP256, &key)
                                              : ssh_pki_generate(SSH_KEYTYPE_RSA, kRsaBits, &key);
  if (rc != SSH_OK) throw Error(Code::io, "a host key cannot be made");
  return key;
}

std::optional<std::string> public_line_of(std::string_view blob) {
  const auto type = key_type(blob);
  return type ? std::optional(*type + " " + base::base64_encode(blob)) : std::nullopt;
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

// The private half, and the public one after it, of a file as OpenSSH writes it (PROTOCOL.key in its sources). nullopt:
// it is no such key, or has a passphrase.
std::optional<std::string> ed25519_halves(std::string_view bytes) {
  constexpr std::string_view kMagic("openssh-key-v1\0", 15);
  if (!bytes.starts_with(kMagic)) return std::nullopt;
  bytes.remove_prefix(kMagic.size());
  const auto cipher = take_string(bytes), derivation = take_string(bytes), options = take_string(bytes);
  const auto keys = take_u32(bytes);
  const auto shared = take_string(bytes), secret = take_string(bytes);
  // It begins with twice the same number, by which a wrong passphrase is known.
  constexpr std::size_t kCheckBytes = 8;
  if (cipher != "none" || derivation != "none" || keys != 1 || !secret || secret->size() < kCheckBytes)
    return std::nullopt;
  std::string_view inner = std::string_view(*secret).substr(kCheckBytes);
  const auto type = take_string(inner), public_half = take_string(inner);
  return type == kEd25519 ? take_string(inner) : std::nullopt;
}

}  // namespace

HostKeyPair make_host_key_pair(HostKeyKind kind) {
  const PrivateKey key(generate(kind));
  char* secret = nullptr;
  if (ssh_pki_export_privkey_base64(key.handle(), nullptr, nullptr, nullptr, &secret) != SSH_OK)
    throw Error(Code::io, "a host key cannot be written");
  const std::unique_ptr<char, decltype(&ssh_string_free_char)> text(secret, ssh_string_free_char);
  auto line = public_line_of(key.public_blob());
  if (!line) throw Error(Code::io, "a host key has no type");
  return {.private_text = text.get(), .public_line = std::move(*line)};
}

std::optional<std::string> public_line_of_openssh(const std::string& private_text) {
  ssh_key key = nullptr;
  if (ssh_pki_import_privkey_base64(private_text.c_str(), nullptr, nullptr, nullptr, &key) != SSH_OK)
    return std::nullopt;
  return public_line_of(PrivateKey(key).public_blob());
}

std::optional<std::string> public_line_of_dropbear(std::string_view key) {
  constexpr std::size_t kHalf = 32;
  const auto type = take_string(key), halves = take_string(key);
  if (type != kEd25519 || !halves || halves->size() != 2 * kHalf) return std::nullopt;
  std::string blob;
  put_string(blob, kEd25519);
  put_string(blob, std::string_view(*halves).substr(kHalf));
  return public_line_of(blob);
}

std::string dropbear_host_key(const HostKeyPair& key) {
  const auto halves = ed25519_halves(body_of(key.private_text));
  if (!halves) throw Error(Code::usage, "dropbear is given ed25519 keys without a passphrase alone");
  std::string bytes;
  put_string(bytes, kEd25519);
  put_string(bytes, *halves);
  return bytes;
}

}  // namespace muster::ssh
