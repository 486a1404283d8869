// Host keys made for a machine that cannot make its own: whoever makes them has held the private half for a moment. Any
// thread.
#pragma once

#include <string>

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

}  // namespace muster::ssh
