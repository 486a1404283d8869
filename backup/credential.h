// What somebody holds of a repository's keys, and so what they can do: the owner everything, a host write and look at
// metadata, maintenance look at metadata and let go. Derivations stand in muster-repository(7). A value; whoever has
// it can do what it can.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "backup/crypto.h"
#include "backup/ids.h"
#include "base/bytes.h"

namespace muster::backup {

enum class Role { owner, host, maintenance };
const char* name_of(Role role);
// Throws base::Error{corrupt}.
Role parse_role(std::string_view text, std::string_view what);

// Who deduplicate with one another: a host, a tenant, or a fleet that trusts itself, by number.
using Domain = std::uint16_t;
constexpr Domain kDefaultDomain = 0;
// Masters, from which machines of all domains come: written by the owner alone; every host may name its chunks instead
// of storing them.
constexpr Domain kBaseDomain = UINT16_MAX;
// Nobody's: what stands for it is found, and not relied on.
constexpr Domain kNobody = UINT16_MAX - 1;

struct DomainKeys {
  std::optional<Secret> chunk_id_key;  // names chunks, and so confirms guesses of them: not maintenance's
  Secret page_id_key;                  // names map pages
  Secret metadata_key;                 // map pages and documents
};

// What everyone may know of the owner.
struct OwnerPublicKeys {
  PublicKey x25519{};       // data keys are sealed to it
  PublicKey ed25519{};      // signs the configuration and hosts
  PublicKey maintenance{};  // signs what lets go
  bool operator==(const OwnerPublicKeys&) const = default;
};

// The first 16 bytes of the SHA-256 of a signing key.
ObjectId signer_id(const PublicKey& signing_key);

struct Credential {
  Role role = Role::owner;
  ObjectId repository{};
  OwnerPublicKeys owner_keys{};
  std::optional<Secret> owner{};             // X25519 private key of the owner: opens data keys
  Secret signing_seed{};                     // Ed25519, of whoever this is
  std::optional<Secret> maintenance_seed{};  // Ed25519
  std::map<Domain, DomainKeys> domains{};    // the owner's: made when asked for
  std::optional<Secret> owner_secret{};      // all of the above comes from it
  std::optional<Domain> writes_in{};         // the owner's, for one run: its home

  ObjectId signer() const { return signer_id(ed25519_public_key(signing_seed)); }
  bool can_read_data() const { return owner.has_value(); }
  // Where it writes: a host's own domain; the owner's and maintenance's: the default one unless told.
  Domain home() const;
  // nullopt for a domain whose keys are not held.
  std::optional<DomainKeys> keys_of(Domain domain) const;
};

Credential owner_credential(const ObjectId& repository, const Secret& owner_secret);
// The owner's, for writing into any domain. Throws base::Error{key} for others.
Credential writing_in(const Credential& owner, Domain domain);
// A new host of `domain`, with a signing key of its own; it holds the base's keys, too.
Credential host_credential(const Credential& owner, Domain domain);
// `domains`: how many there are, counted from 0, without the base, which is among them always.
Credential maintenance_credential(const Credential& owner, Domain domains);

base::Bytes encode_credential(const Credential& credential);
// Throws base::Error{corrupt}.
Credential decode_credential(base::ByteView bytes);

}  // namespace muster::backup
