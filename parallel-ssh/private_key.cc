#include "parallel-ssh/private_key.h"

#include <libssh/libssh.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace muster::ssh {
namespace {

constexpr std::size_t kMaxKeyFileBytes = 64U << 10;

std::string blob_of(ssh_key key) {
  char* text = nullptr;
  if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK) return {};
  const auto blob = base::base64_decode(text);
  ssh_string_free_char(text);
  return blob.value_or("");
}

// libssh asks for a passphrase only when the key has one: its being called tells an encrypted key from a broken one.
int note_encrypted(const char*, char*, std::size_t, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

}  // namespace

PrivateKey::~PrivateKey() { ssh_key_free(key_); }

std::string PrivateKey::public_blob() const { return blob_of(key_); }

LoadedKey load_private_key(const std::string& path, const std::optional<std::string>& passphrase) {
  if (::access(path.c_str(), F_OK) != 0) return {};
  std::string text;
  try {
    text = base::read_file(path, kMaxKeyFileBytes);
  } catch (const base::Error& e) {
    return {KeyFileState::unusable, nullptr, e.what()};
  }
  ssh_key key = nullptr;
  bool encrypted = false;
  const int rc = ssh_pki_import_privkey_base64(text.c_str(), passphrase ? passphrase->c_str() : nullptr, note_encrypted,
                                               &encrypted, &key);
  if (rc == SSH_OK) return {KeyFileState::loaded, std::make_shared<const PrivateKey>(key), {}};
  if (encrypted && !passphrase) return {KeyFileState::needs_passphrase, nullptr, {}};
  return {KeyFileState::unusable, nullptr,
          path + (passphrase ? ": wrong passphrase, or not a private key that can be read"
                             : ": not a private key that can be read")};
}

std::optional<std::string> public_blob_of_file(const std::string& path) {
  ssh_key key = nullptr;
  if (ssh_pki_import_pubkey_file((path + ".pub").c_str(), &key) != SSH_OK &&
      ssh_pki_import_pubkey_file(path.c_str(), &key) != SSH_OK)
    return std::nullopt;
  std::string blob = blob_of(key);
  ssh_key_free(key);
  return blob;
}

}  // namespace muster::ssh
