#include "backup/repository.h"

#include <algorithm>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/fields.h"
#include "backup/object_names.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::ByteView;
using base::Code;
using base::Context;
using base::Error;
using nlohmann::json;

Signer signer_of(const Secret& seed) { return {signer_id(ed25519_public_key(seed)), seed}; }

json host_fields(const Host& host) {
  return {{"host", hex(host.id)},
          {"signing", base64(host.signing_key)},
          {"label", host.label},
          {"domain", host.domain},
          {"names", host.names}};
}

Host decode_host(ByteView payload, std::string_view name) {
  const json fields = parse_fields(payload, name);
  Host host{.id = id_field(fields, "host", name),
            .label = text_field(fields, "label", name),
            .domain = static_cast<Domain>(number_field(fields, "domain", UINT16_MAX, name)),
            .names = texts_field(fields, "names", name),
            .revoked = std::nullopt};
  const base::Bytes key = bytes_field(fields, "signing", host.signing_key.size(), name);
  std::copy(key.begin(), key.end(), host.signing_key.begin());
  return host;
}

}  // namespace

Repository::Repository(std::shared_ptr<Storage> storage, const Config& config, const Credential& credential)
    : storage_(std::move(storage)), config_(config), credential_(credential) {
  if (credential.repository != config.repository || credential.owner_keys != config.owner)
    throw Error(Code::key, storage_->where() + ": the key belongs to another repository or owner");
}

DomainKeys Repository::home_keys() const {
  if (credential_.role == Role::maintenance) throw Error(Code::key, "a maintenance key cannot write backups");
  return credential_.keys_of(credential_.home()).value();
}

Put Repository::put(const Context& ctx, const DocumentAddress& address, ByteView document) const {
  return put_new(ctx, *storage_, address.name, document);
}

Put Repository::put_document(const Context& ctx, const DocumentAddress& address, ByteView payload,
                             Encrypted encrypted) const {
  DocumentSealing sealing{.metadata_key = {}, .signer = signer_of(credential_.signing_seed)};
  if (encrypted == Encrypted::yes) {
    sealing.domain = credential_.home();
    sealing.metadata_key = credential_.keys_of(sealing.domain).value().metadata_key;
  }
  return put(ctx, address, seal_document(address, payload, sealing));
}

Put Repository::put_maintenance(const Context& ctx, const DocumentAddress& address, ByteView payload) const {
  if (!credential_.maintenance_seed)
    throw Error(Code::key, "this key may write backups, not let go of any: take the owner's or a maintenance key");
  return put(ctx, address,
             seal_document(address, payload, {.metadata_key = {}, .signer = signer_of(*credential_.maintenance_seed)}));
}

OpenedDocument Repository::get_document(const Context& ctx, const DocumentAddress& address) const {
  const base::Bytes bytes = get_all(ctx, *storage_, address.name, kMaxDocumentBytes);
  const DocumentKeys keys{.metadata_key = [&](Domain domain) -> std::optional<Secret> {
                            const auto held = credential_.keys_of(domain);
                            return held ? std::optional(held->metadata_key) : std::nullopt;
                          },
                          .signing_key = [&](const ObjectId& id) { return signing_key(ctx, id); }};
  OpenedDocument opened = open_document(address, bytes, keys);
  if (!opened.signer) throw Error(Code::corrupt, std::string(address.name) + ": has no signature");
  return opened;
}

base::Bytes Repository::get_maintenance(const Context& ctx, const DocumentAddress& address) const {
  OpenedDocument opened = get_document(ctx, address);
  if (opened.signer != maintenance_signer())
    throw Error(Code::corrupt, std::string(address.name) + ": not signed by the maintenance key");
  return std::move(opened.payload);
}

std::optional<PublicKey> Repository::signing_key(const Context& ctx, const ObjectId& id) const {
  if (id == owner_signer()) return credential_.owner_keys.ed25519;
  if (id == maintenance_signer()) return credential_.owner_keys.maintenance;
  const auto known = host(ctx, id);
  return known ? std::optional(known->signing_key) : std::nullopt;
}

// Of kind host, signed by the owner: no other key is looked for.
base::Bytes Repository::open_owners_document(const Context& ctx, const std::string& name) const {
  const base::Bytes bytes = get_all(ctx, *storage_, name, kMaxDocumentBytes);
  const auto owner = [&](const ObjectId& signer) {
    return signer == owner_signer() ? std::optional(credential_.owner_keys.ed25519) : std::nullopt;
  };
  auto opened = open_document(address(name, DocumentKind::host), bytes, {.metadata_key = {}, .signing_key = owner});
  if (!opened.signer) throw Error(Code::corrupt, name + ": not signed by the owner");
  return std::move(opened.payload);
}

Host Repository::read_host(const Context& ctx, const ObjectId& id) const {
  const std::string name = object_name(kHostsPrefix, id);
  Host host = decode_host(open_owners_document(ctx, name), name);
  if (host.id != id || signer_id(host.signing_key) != id) throw Error(Code::corrupt, name + ": is of another host");
  host.revoked = revocation_of(ctx, id);
  return host;
}

std::optional<std::chrono::sys_seconds> Repository::revocation_of(const Context& ctx, const ObjectId& id) const {
  const std::string name = object_name(kRevokedPrefix, id);
  const auto facts = storage_->stat(ctx, name);
  if (!facts) return std::nullopt;
  try {
    open_owners_document(ctx, name);
    return facts->stored;
  } catch (const Error& e) {
    if (e.code() != Code::corrupt) throw;
    ctx.warn(std::string(e.what()) + "; it shuts nobody out");
    return std::nullopt;
  }
}

bool Repository::is_of_our_domain(const Context& ctx, const ObjectId& signer) const {
  if (signer == owner_signer() || signer == maintenance_signer()) return true;
  const auto known = host(ctx, signer);
  return known && known->domain == credential_.home();
}

std::optional<Host> Repository::host(const Context& ctx, const ObjectId& id) const {
  const std::lock_guard lock(mutex_);
  if (const auto found = hosts_.find(id); found != hosts_.end()) return found->second;
  try {
    return hosts_[id] = read_host(ctx, id);
  } catch (const Error& e) {
    if (e.code() != Code::not_found) throw;
    return std::nullopt;  // may still come
  }
}

std::vector<Host> Repository::hosts(const Context& ctx) const {
  std::vector<ObjectId> ids;
  storage_->list(ctx, kHostsPrefix, [&](const StoredObject& object) {
    if (const auto id = id_in_name(kHostsPrefix, object.name)) ids.push_back(*id);
  });
  std::sort(ids.begin(), ids.end());
  std::vector<Host> hosts;
  for (const auto& id : ids)
    if (auto known = host(ctx, id)) hosts.push_back(std::move(*known));
  return hosts;
}

void Repository::add_host(const Context& ctx, const Host& host) const {
  if (credential_.role != Role::owner) throw Error(Code::key, "only the owner's key lets hosts in");
  const std::string name = object_name(kHostsPrefix, host.id);
  put_document(ctx, address(name, DocumentKind::host), fields_bytes(host_fields(host)), Encrypted::no);
}

void Repository::revoke_host(const Context& ctx, const ObjectId& id) const {
  if (credential_.role != Role::owner) throw Error(Code::key, "only the owner's key shuts hosts out");
  const std::string name = object_name(kRevokedPrefix, id);
  put_document(ctx, address(name, DocumentKind::host), fields_bytes({{"host", hex(id)}}), Encrypted::no);
  // Something that somebody else put there first would stand in its way for ever.
  if (!revocation_of(ctx, id))
    throw Error(Code::refused,
                storage_->where() + ": " + name + " is not of the owner: the host is not shut out until it is removed");
  const std::lock_guard lock(mutex_);
  hosts_.erase(id);
}

// --- making and opening

CreatedRepository plan_repository(const NewRepository& wanted) {
  check_chunk_bytes(wanted.chunk_bytes);
  const ObjectId id = random_object_id();
  CreatedRepository created{.config = {}, .owner = owner_credential(id, Secret::random()), .key_file = std::nullopt};
  created.config = {.repository = id,
                    .created = wanted.created,
                    .chunk_bytes = wanted.chunk_bytes,
                    .encrypted = wanted.slot != SlotKind::clear,
                    .owner = created.owner.owner_keys,
                    .read_features = {},
                    .write_features = {},
                    .delete_features = {kAreasFeature}};
  if (wanted.slot == SlotKind::file)
    created.key_file = KeyFile{.repository = id, .slot = random_object_id(), .secret = Secret::random()};
  return created;
}

void create_repository(const Context& ctx, Storage& storage, const CreatedRepository& created,
                       const NewRepository& wanted) {
  if (storage.stat(ctx, kConfigName)) throw Error(Code::refused, storage.where() + " is a repository already");
  const ObjectId slot = created.key_file ? created.key_file->slot : random_object_id();
  const SlotFacts facts{
      .slot = slot, .kind = wanted.slot, .role = Role::owner, .label = "owner", .created = wanted.created};
  const base::Bytes document = created.key_file ? seal_slot_for_file(facts, created.owner, *created.key_file)
                               : wanted.slot == SlotKind::passphrase
                                   ? seal_slot_for_passphrase(facts, created.owner, wanted.passphrase)
                                   : seal_slot_in_clear(facts, created.owner);
  put_new(ctx, storage, object_name(kKeysPrefix, slot), document);
  if (put_new(ctx, storage, kConfigName, encode_config(created.config, created.owner)) == Put::existed)
    throw Error(Code::refused, storage.where() + " is a repository already");
}

Config read_config(const Context& ctx, Storage& storage) {
  try {
    return decode_config(get_all(ctx, storage, kConfigName, kMaxDocumentBytes));
  } catch (const Error& e) {
    if (e.code() != Code::not_found) throw Error(e.code(), storage.where() + ": " + e.what());
    throw Error(Code::not_found, storage.where() + ": there is no repository");
  }
}

std::vector<KeySlot> read_slots(const Context& ctx, Storage& storage, const Config& config) {
  std::vector<ObjectId> ids;
  storage.list(ctx, kKeysPrefix, [&](const StoredObject& object) {
    if (const auto id = id_in_name(kKeysPrefix, object.name)) ids.push_back(*id);
  });
  std::sort(ids.begin(), ids.end());
  std::vector<KeySlot> slots;
  for (const auto& id : ids) {
    try {
      slots.emplace_back(config.repository, id, get_all(ctx, storage, object_name(kKeysPrefix, id), kMaxDocumentBytes));
    } catch (const Error& e) {
      if (e.code() != Code::corrupt && e.code() != Code::key) throw;
      // One damaged key must not lock the others out; check tells of it too.
      ctx.warn(e.what());
    }
  }
  return slots;
}

namespace {

Credential unlock_with_file(const std::vector<KeySlot>& slots, const KeyFile& key, const Config& config) {
  if (key.repository != config.repository)
    throw Error(Code::key, fmt::format("the key file is for repository {}, this is {}", hex(key.repository),
                                       hex(config.repository)));
  for (const auto& slot : slots)
    if (slot.facts().slot == key.slot) return slot.open(key);
  throw Error(Code::key, "the key file's key " + hex(key.slot) + " was removed from the repository");
}

Credential unlock_with_passphrase(const std::vector<KeySlot>& slots, std::string_view passphrase) {
  bool any = false;
  for (const auto& slot : slots) {
    if (slot.facts().kind != SlotKind::passphrase) continue;
    any = true;
    try {
      return slot.open(passphrase);
    } catch (const Error& e) {
      if (e.code() != Code::key && e.code() != Code::corrupt) throw;  // the next slot may have another
    }
  }
  throw Error(Code::key, any ? "wrong passphrase" : "no key of the repository is opened by a passphrase");
}

Credential unlock(const std::vector<KeySlot>& slots, const Config& config, const Unlocking& unlocking) {
  if (unlocking.owner_secret) return owner_credential(config.repository, *unlocking.owner_secret);
  if (unlocking.key_file) return unlock_with_file(slots, *unlocking.key_file, config);
  if (unlocking.passphrase) return unlock_with_passphrase(slots, *unlocking.passphrase);
  for (const auto& slot : slots)
    if (slot.facts().kind == SlotKind::clear && !config.encrypted) return slot.open_clear();
  throw Error(Code::key, "no key: the repository wants a key file or a passphrase");
}

}  // namespace

Repository open_repository(const Context& ctx, std::shared_ptr<Storage> storage, const Unlocking& unlocking) {
  const Config config = read_config(ctx, *storage);
  check_features(config, Use::read);
  const auto slots = read_slots(ctx, *storage, config);
  Credential credential = unlock(slots, config, unlocking);
  return {std::move(storage), config, std::move(credential)};
}

}  // namespace muster::backup
