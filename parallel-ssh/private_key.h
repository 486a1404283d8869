// A private key in memory, loaded once and shared by all sessions: libssh only reads it while signing. Thread-safe
// after construction.
#pragma once

#include <memory>
#include <optional>
#include <string>

struct ssh_key_struct;

namespace muster::ssh {

class PrivateKey {
 public:
  explicit PrivateKey(ssh_key_struct* key) : key_(key) {}
  PrivateKey(const PrivateKey&) = delete;
  PrivateKey& operator=(const PrivateKey&) = delete;
  ~PrivateKey();
  ssh_key_struct* handle() const { return key_; }
  // The public half as on the wire.
  std::string public_blob() const;

 private:
  ssh_key_struct* key_;
};

enum class KeyFileState { loaded, missing, needs_passphrase, unusable };
struct LoadedKey {
  KeyFileState state = KeyFileState::missing;
  std::shared_ptr<const PrivateKey> key;  // only when loaded
  std::string reason;                     // only when unusable
};

// Reads a key file. `passphrase` nullopt: none is known. Does not throw for what is wrong with the file.
LoadedKey load_private_key(const std::string& path, const std::optional<std::string>& passphrase);

// The blob of `path` + ".pub", else of `path` itself: OpenSSH takes a public key as the name of an agent's key, and a
// private one in its format shows its public half even where it is encrypted. nullopt if neither can be read.
std::optional<std::string> public_blob_of_file(const std::string& path);

}  // namespace muster::ssh
