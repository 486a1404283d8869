// Host keys made for a machine that cannot make its own, and public halves of those on its disk: whoever has them has
// held the private half for a moment. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace muster::ssh {

enum class HostKeyKind { ed25519, ecdsa, rsa };

struct HostKeyPair {
  std::string private_text;  // as the file of a host key of OpenSSH
  std::string public_line;   // `ssh-ed25519 AAAA...`
};
// ECDSA with NIST P-256, RSA with 3,072 bits, as ssh-keygen(1) makes them. Throws base::Error{io}.
HostKeyPair make_host_key_pair(HostKeyKind kind);

// An ed25519 key as the file of a host key of dropbear: its type and both halves, each with its length before it, as in
// RFC 4251 (https://github.com/mkj/dropbear/blob/master/src/ed25519.c). Throws base::Error{usage} for any other key.
std::string dropbear_host_key(const HostKeyPair& key);

// `ssh-ed25519 AAAA...` of the file of a host key: of OpenSSH any, of dropbear one of ed25519. nullopt: it is no such
// key.
std::optional<std::string> public_line_of_openssh(const std::string& private_text);
std::optional<std::string> public_line_of_dropbear(std::string_view key);

}  // namespace muster::ssh
