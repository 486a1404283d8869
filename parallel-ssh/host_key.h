// A server's public key as text and bytes: fingerprints, key lines, and what an inventory pins. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace muster::ssh {

// `SHA256:` and base64 without padding, as OpenSSH prints it. `blob`: the raw bytes of the public key.
std::string fingerprint(std::string_view blob);

// The key's own name of its type, which every blob begins with; nullopt for bytes that are no key.
std::optional<std::string> key_type(std::string_view blob);

// The raw bytes of base64 text, if they are a key of that type.
std::optional<std::string> decode_key(std::string_view type, std::string_view base64);

// A key that somebody vouched for: whole, or its fingerprint alone.
struct PinnedKey {
  std::string type;  // empty where only the fingerprint is known
  std::string blob;  // likewise
  std::string fingerprint;

  bool matches(std::string_view server_blob) const;
};

// `ssh-ed25519 AAAA... comment` or `SHA256:...`. Throws base::Error{usage}.
PinnedKey parse_host_key(std::string_view text);

}  // namespace muster::ssh
