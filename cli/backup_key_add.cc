// muster backup key add: another key for the owner, a host that only makes backups, or maintenance.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/object_names.h"
#include "backup/repository.h"
#include "backup/rfc3339.h"
#include "base/error.h"
#include "cli/backup_commands.h"
#include "cli/backup_key_file.h"
#include "cli/backup_repository.h"
#include "cli/environment.h"
#include "cli/json_lines.h"

namespace muster::cli {
namespace {

using backup::Credential;
using backup::Domain;
using backup::Role;
using backup::SlotFacts;
using backup::SlotKind;
using base::Code;
using base::Error;

// A maintenance key holds the keys of all of them.
constexpr Domain kMaxDomain = 255;

// What is asked for, before anything is opened.
struct NewKey {
  Role role = Role::owner;
  std::string label;
  Domain domain = backup::kDefaultDomain;
  std::vector<std::string> machines;
  std::optional<std::string> path;  // of the key file; otherwise a passphrase
};

Role role_of(const Settings& settings) {
  const std::string text = settings.text("role").value_or("owner");
  for (const Role role : {Role::owner, Role::host, Role::maintenance})
    if (text == backup::name_of(role)) return role;
  settings.reject("role", "'" + text + "': write owner, host or maintenance");
}

void check_only_for_hosts(const Settings& settings, const NewKey& key) {
  if (key.role == Role::host) return;
  for (const char* option : {"domain", "machine"})
    if (settings.given_now(option)) settings.reject(option, "only a host's key has that: --role host");
}

NewKey new_key(const Program& program) {
  const Settings& settings = program.settings;
  NewKey key{.role = role_of(settings),
             .label = {},
             .domain = static_cast<Domain>(settings.integer("domain", 0, kMaxDomain).value_or(backup::kDefaultDomain)),
             .machines = settings.list("machine"),
             .path = settings.text("to")};
  key.label = settings.text("label").value_or(backup::name_of(key.role));
  check_only_for_hosts(settings, key);
  if (key.path.has_value() == settings.given("new-passphrase"))
    throw Error(Code::usage, "write --to FILE for a key file, or --new-passphrase");
  if (key.path) check_key_path(*key.path);
  return key;
}

Credential credential_for(const backup::Repository& repository, const NewKey& key) {
  const Credential& own = repository.credential();
  if (own.role != Role::owner) throw Error(Code::key, "only the owner's key makes other keys");
  switch (key.role) {
    case Role::host:
      return backup::host_credential(own, key.domain);
    case Role::maintenance:
      return backup::maintenance_credential(own, kMaxDomain + 1);
    case Role::owner:
      break;
  }
  return own;
}

// The slot of a host has the host's identifier: whoever removes it finds the host.
SlotFacts facts_of(const Credential& credential, const NewKey& key) {
  return {.slot = key.role == Role::host ? credential.signer() : backup::random_object_id(),
          .kind = key.path ? SlotKind::file : SlotKind::passphrase,
          .role = key.role,
          .label = key.label,
          .created = backup::rfc3339(backup::now())};
}

// The file first, as init does.
base::Bytes seal(const Program& program, const NewKey& key, const Credential& credential, const SlotFacts& facts) {
  if (!key.path)
    return backup::seal_slot_for_passphrase(facts, credential, new_passphrase(program, "new-passphrase").value());
  const backup::KeyFile file{
      .repository = credential.repository, .slot = facts.slot, .secret = backup::Secret::random()};
  write_key_file(*key.path, file);
  return backup::seal_slot_for_file(facts, credential, file);
}

}  // namespace

int backup_key_add(const BackupCommand& command) {
  const Program& program = command.program;
  const NewKey key = new_key(program);
  const auto opened = open_repository(program);
  const auto& [ctx, repository] = opened;
  const Credential credential = credential_for(repository, key);
  const SlotFacts facts = facts_of(credential, key);
  const std::string what =
      fmt::format("a key for {} '{}'{}", backup::name_of(key.role), key.label, key.path ? " in " + *key.path : "");
  if (program.settings.flag("dry-run")) return close_plan(program, "key add", "make " + what);
  const auto document = seal(program, key, credential, facts);
  if (key.role == Role::host)
    repository.add_host(ctx, {.id = facts.slot,
                              .signing_key = backup::ed25519_public_key(credential.signing_seed),
                              .label = key.label,
                              .domain = key.domain,
                              .names = key.machines,
                              .revoked = std::nullopt});
  backup::put_new(ctx, repository.storage(), backup::object_name(backup::kKeysPrefix, facts.slot), document);
  tell(program, fmt::format("made {}: {}", what, backup::hex(facts.slot)));
  if (program.json())
    program.console.out(json_line("result", {{"slot", backup::hex(facts.slot)},
                                             {"kind", backup::name_of(facts.kind)},
                                             {"role", backup::name_of(key.role)},
                                             {"label", key.label},
                                             {"key_file", key.path ? nlohmann::json(*key.path) : nlohmann::json()}}));
  return close_backup(program, nlohmann::json::object(), 0);
}

}  // namespace muster::cli
