// An opened repository: its objects, its configuration, and what the credential at hand can do in it. Everything else
// in backup/ is a function of one of these. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/config.h"
#include "backup/credential.h"
#include "backup/document.h"
#include "backup/key_slot.h"
#include "backup/storage.h"
#include "base/context.h"

namespace muster::backup {

// A host that the owner let in.
struct Host {
  ObjectId id;
  PublicKey signing_key{};
  std::string label;
  Domain domain = kDefaultDomain;
  std::vector<std::string> names;  // of machines it may back up: globs, empty for all
  // Points stored later than this, by the store's clock, are not its own any more.
  std::optional<std::chrono::sys_seconds> revoked;
};

enum class Encrypted { yes, no };

class Repository {
 public:
  // Throws Error{key} where the configuration names another owner than the credential.
  Repository(std::shared_ptr<Storage> storage, const Config& config, const Credential& credential);

  Storage& storage() const { return *storage_; }
  const Config& config() const { return config_; }
  const ObjectId& id() const { return config_.repository; }
  const Credential& credential() const { return credential_; }
  // The same repository, to write into that domain. Throws Error{key} for all but the owner.
  Repository in_domain(Domain domain) const { return {storage_, config_, writing_in(credential_, domain)}; }
  // Of the domain that this credential writes in. Throws Error{key} where it writes nowhere.
  DomainKeys home_keys() const;

  // Puts a document signed by this credential, under a new name.
  Put put_document(const base::Context& ctx, const DocumentAddress& address, base::ByteView payload,
                   Encrypted encrypted) const;
  // As put_document(), by the maintenance key. Throws Error{key} where that is not held.
  Put put_maintenance(const base::Context& ctx, const DocumentAddress& address, base::ByteView payload) const;
  // Throws Error{not_found}, and what open_document() throws; Error{corrupt} where it has no signature.
  OpenedDocument get_document(const base::Context& ctx, const DocumentAddress& address) const;
  // As get_document(), and signed by the maintenance key. Otherwise Error{corrupt}.
  base::Bytes get_maintenance(const base::Context& ctx, const DocumentAddress& address) const;
  DocumentAddress address(std::string_view name, DocumentKind kind) const { return {name, id(), kind}; }

  // The host of that id; nullopt for the owner, maintenance, and where there is none. Throws Error{corrupt} for one
  // that the owner did not sign.
  std::optional<Host> host(const base::Context& ctx, const ObjectId& id) const;
  std::vector<Host> hosts(const base::Context& ctx) const;
  // Both for the owner. Throw Error{key} for others.
  void add_host(const base::Context& ctx, const Host& host) const;
  void revoke_host(const base::Context& ctx, const ObjectId& id) const;
  // Whether what that signer says of our chunks counts: the owner, maintenance, and hosts of our domain.
  bool is_of_our_domain(const base::Context& ctx, const ObjectId& signer) const;
  ObjectId maintenance_signer() const { return signer_id(credential_.owner_keys.maintenance); }
  ObjectId owner_signer() const { return signer_id(credential_.owner_keys.ed25519); }

  // Of the owner, maintenance, and every host the owner let in; nullopt for anybody else.
  std::optional<PublicKey> signing_key(const base::Context& ctx, const ObjectId& id) const;

 private:
  Host read_host(const base::Context& ctx, const ObjectId& id) const;
  base::Bytes open_owners_document(const base::Context& ctx, const std::string& name) const;
  std::optional<std::chrono::sys_seconds> revocation_of(const base::Context& ctx, const ObjectId& id) const;
  Put put(const base::Context& ctx, const DocumentAddress& address, base::ByteView document) const;

  std::shared_ptr<Storage> storage_;
  Config config_;
  Credential credential_;
  mutable std::mutex mutex_;
  mutable std::map<ObjectId, std::optional<Host>> hosts_;
};

// --- making and opening

struct NewRepository {
  std::uint32_t chunk_bytes = kDefaultChunkBytes;
  SlotKind slot = SlotKind::file;
  std::string passphrase{};  // for SlotKind::passphrase
  std::string created{};     // RFC 3339
};
struct CreatedRepository {
  Config config;
  Credential owner;
  std::optional<KeyFile> key_file;
};
// The key that a new repository will have: written down by the caller before anything is put.
CreatedRepository plan_repository(const NewRepository& wanted);
// Puts the slot, then the configuration, which makes it a repository. Throws Error{refused} where there is one.
void create_repository(const base::Context& ctx, Storage& storage, const CreatedRepository& created,
                       const NewRepository& wanted);

// What somebody opens a repository with; nothing for one that is not encrypted.
struct Unlocking {
  std::optional<KeyFile> key_file;
  std::optional<std::string> passphrase;
  std::optional<Secret> owner_secret;  // out of a recovery text
};
// Throws Error{not_found} where there is no repository, Error{unsupported} for a newer format, Error{key}.
Repository open_repository(const base::Context& ctx, std::shared_ptr<Storage> storage, const Unlocking& unlocking);

// The configuration alone, for whoever looks for the key. Throws Error{not_found, corrupt, unsupported}.
Config read_config(const base::Context& ctx, Storage& storage);
std::vector<KeySlot> read_slots(const base::Context& ctx, Storage& storage, const Config& config);

}  // namespace muster::backup
