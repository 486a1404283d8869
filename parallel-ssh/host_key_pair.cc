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
  char *secret = nullptr, *shared = nullptr;
  const int rc = ssh_pki_export_privkey_base64(key.get(), nullptr, nullptr, nullptr, &secret);
  const Text private_text(secret);
  if (rc != SSH_OK || ssh_pki_export_pubkey_base64(key.get(), &shared) != SSH_OK)
    throw Error(Code::io, "a host key cannot be written");
  const Text public_text(shared);
  const auto type = key_type(base::base64_decode(public_text.get()).value_or(""));
  if (!type) throw Error(Code::io, "a host key has no type");
  return {.private_text = private_text.get(), .public_line = *type + " " + public_text.get()};
}

std::string dropbear_host_key(const HostKeyPair& key) {
  constexpr std::string_view kMagic("openssh-key-v1\0", 15);
  constexpr std::string_view kType = "ssh-ed25519";
  const std::string bytes = body_of(key.private_text);
  Fields outer(bytes);
  const auto wrong = [] { return Error(Code::usage, "dropbear is given ed25519 keys without a passphrase alone"); };
  if (outer.take(kMagic.size()) != kMagic || outer.string() != "none" || outer.string() != "none") throw wrong();
  outer.string();  // options of the key derivation
  if (outer.number() != 1) throw wrong();
  outer.string();  // the public half
  Fields inner(outer.string());
  inner.take(8);  // twice the same, by which a wrong passphrase is known
  if (inner.string() != kType) throw wrong();
  inner.string();  // the public half
  return with_length(kType) + with_length(inner.string());
}

}  // namespace muster::ssh
