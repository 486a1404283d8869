#include "backup/credential.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/fields.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::ByteView;
using nlohmann::json;

constexpr const char* kWhat = "a key";
constexpr std::array<std::pair<Role, const char*>, 3> kRoles{
    {{Role::owner, "owner"}, {Role::host, "host"}, {Role::maintenance, "maintenance"}}};

DomainKeys derived_domain(const Secret& owner_secret, const ObjectId& repository, Domain domain) {
  return {.chunk_id_key = derive(owner_secret, repository.view(), fmt::format("domain {} chunk ids", domain)),
          .page_id_key = derive(owner_secret, repository.view(), fmt::format("domain {} page ids", domain)),
          .metadata_key = derive(owner_secret, repository.view(), fmt::format("domain {} metadata", domain))};
}

PublicKey public_key_field(const json& fields, const char* name) {
  const base::Bytes bytes = bytes_field(fields, name, std::tuple_size_v<PublicKey>, kWhat);
  PublicKey key{};
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

Secret secret_field(const json& fields, const char* name) {
  return Secret(ByteView(bytes_field(fields, name, Secret::kBytes, kWhat)));
}

json encode_domains(const std::map<Domain, DomainKeys>& domains) {
  json list = json::array();
  for (const auto& [number, keys] : domains) {
    list.push_back({{"domain", number},
                    {"page_ids", base64(keys.page_id_key.view())},
                    {"metadata", base64(keys.metadata_key.view())}});
    if (keys.chunk_id_key) list.back()["chunk_ids"] = base64(keys.chunk_id_key->view());
  }
  return list;
}

void decode_domains(const json& fields, Credential& credential) {
  for (const json& entry : list_field(fields, "domains", kWhat)) {
    if (!entry.is_object()) throw base::Error(base::Code::corrupt, "a key has no domains");
    const auto number = static_cast<Domain>(number_field(entry, "domain", UINT16_MAX, kWhat));
    DomainKeys& keys = credential.domains[number];
    keys = {.chunk_id_key = std::nullopt,
            .page_id_key = secret_field(entry, "page_ids"),
            .metadata_key = secret_field(entry, "metadata")};
    if (entry.contains("chunk_ids")) keys.chunk_id_key = secret_field(entry, "chunk_ids");
  }
  if (credential.domains.empty() || credential.domains.begin()->first == kBaseDomain)
    throw base::Error(base::Code::corrupt, "a key has no domains");
}

}  // namespace

const char* name_of(Role role) {
  for (const auto& [known, name] : kRoles)
    if (known == role) return name;
  return "owner";
}

Role parse_role(std::string_view text, std::string_view what) {
  for (const auto& [role, name] : kRoles)
    if (text == name) return role;
  throw base::Error(base::Code::corrupt, fmt::format("{}: no role '{}'", what, text));
}

ObjectId signer_id(const PublicKey& signing_key) {
  const Sha256 digest = sha256(signing_key);
  ObjectId id;
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

Domain Credential::home() const {
  if (writes_in) return *writes_in;
  return role == Role::host && !domains.empty() ? domains.begin()->first : kDefaultDomain;
}

std::optional<DomainKeys> Credential::keys_of(Domain domain) const {
  if (owner_secret) return derived_domain(*owner_secret, repository, domain);
  const auto found = domains.find(domain);
  return found == domains.end() ? std::nullopt : std::optional(found->second);
}

Credential owner_credential(const ObjectId& repository, const Secret& owner_secret) {
  Credential credential{.role = Role::owner, .repository = repository};
  const ByteView salt = repository.view();
  credential.owner = derive(owner_secret, salt, "owner x25519");
  credential.signing_seed = derive(owner_secret, salt, "owner ed25519");
  credential.maintenance_seed = derive(owner_secret, salt, "maintenance ed25519");
  credential.owner_secret = owner_secret;
  credential.owner_keys = {.x25519 = x25519_public_key(*credential.owner),
                           .ed25519 = ed25519_public_key(credential.signing_seed),
                           .maintenance = ed25519_public_key(*credential.maintenance_seed)};
  return credential;
}

Credential writing_in(const Credential& owner, Domain domain) {
  if (owner.role != Role::owner) throw base::Error(base::Code::key, "only the owner's key writes into other domains");
  Credential credential = owner;
  credential.writes_in = domain;
  return credential;
}

Credential host_credential(const Credential& owner, Domain domain) {
  Credential host{.role = Role::host, .repository = owner.repository, .owner_keys = owner.owner_keys};
  host.signing_seed = Secret::random();
  for (const Domain held : {domain, kBaseDomain}) host.domains[held] = owner.keys_of(held).value();
  return host;
}

Credential maintenance_credential(const Credential& owner, Domain domains) {
  Credential result{.role = Role::maintenance, .repository = owner.repository, .owner_keys = owner.owner_keys};
  result.signing_seed = *owner.maintenance_seed;
  result.maintenance_seed = owner.maintenance_seed;
  const auto add = [&](Domain domain) {
    result.domains[domain] = owner.keys_of(domain).value();
    result.domains[domain].chunk_id_key.reset();
  };
  for (Domain domain = 0; domain < domains; ++domain) add(domain);
  add(kBaseDomain);
  return result;
}

base::Bytes encode_credential(const Credential& credential) {
  json fields = {{"role", name_of(credential.role)}, {"repository", hex(credential.repository)}};
  if (credential.owner_secret) {
    fields["owner"] = base64(credential.owner_secret->view());
    return fields_bytes(fields);
  }
  fields["owner_x25519"] = base64(credential.owner_keys.x25519);
  fields["owner_ed25519"] = base64(credential.owner_keys.ed25519);
  fields["maintenance_ed25519"] = base64(credential.owner_keys.maintenance);
  fields["signing"] = base64(credential.signing_seed.view());
  fields["domains"] = encode_domains(credential.domains);
  return fields_bytes(fields);
}

Credential decode_credential(ByteView bytes) {
  const json fields = parse_fields(bytes, kWhat);
  const Role role = parse_role(text_field(fields, "role", kWhat), kWhat);
  const ObjectId repository = id_field(fields, "repository", kWhat);
  if (role == Role::owner) return owner_credential(repository, secret_field(fields, "owner"));
  Credential credential{.role = role, .repository = repository};
  credential.owner_keys = {.x25519 = public_key_field(fields, "owner_x25519"),
                           .ed25519 = public_key_field(fields, "owner_ed25519"),
                           .maintenance = public_key_field(fields, "maintenance_ed25519")};
  credential.signing_seed = secret_field(fields, "signing");
  if (role == Role::maintenance) credential.maintenance_seed = credential.signing_seed;
  decode_domains(fields, credential);
  return credential;
}

}  // namespace muster::backup
