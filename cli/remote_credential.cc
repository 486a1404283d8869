#include "cli/remote_credential.h"

#include <unistd.h>

#include "backup/object_names.h"
#include "backup/rfc3339.h"
#include "base/error.h"
#include "cli/backup_key_file.h"

namespace muster::cli {
namespace {

using backup::Credential;
using base::Code;
using base::Error;

// The file first, as `key add` does; then the host; then the slot, with which it can be opened.
Credential make(const base::Context& ctx, const backup::Repository& repository, const std::string& host,
                const std::string& path) {
  Credential credential = backup::host_credential(repository.credential(), repository.credential().home());
  const backup::SlotFacts facts{.slot = credential.signer(),
                                .kind = backup::SlotKind::file,
                                .role = backup::Role::host,
                                .label = "muster on " + host,
                                .created = backup::rfc3339(backup::now())};
  const backup::KeyFile file{.repository = repository.id(), .slot = facts.slot, .secret = backup::Secret::random()};
  write_key_file(path, file);
  repository.add_host(ctx, {.id = facts.slot,
                            .signing_key = backup::ed25519_public_key(credential.signing_seed),
                            .label = facts.label,
                            .domain = credential.home(),
                            .names = {},
                            .revoked = std::nullopt});
  backup::put_new(ctx, repository.storage(), backup::object_name(backup::kKeysPrefix, facts.slot),
                  backup::seal_slot_for_file(facts, credential, file));
  return credential;
}

Credential kept(const base::Context& ctx, const backup::Repository& repository, const std::string& path) {
  // Not the storage's owner: it lives as long as the repository, and so as this call.
  const std::shared_ptr<backup::Storage> storage(std::shared_ptr<backup::Storage>(), &repository.storage());
  try {
    const auto opened =
        backup::open_repository(ctx, storage, {.key_file = read_key_file(path), .passphrase = {}, .owner_secret = {}});
    const auto host = repository.host(ctx, opened.credential().signer());
    if (!host || host->revoked) throw Error(Code::key, "it was removed from the repository");
    return opened.credential();
  } catch (const Error& e) {
    if (e.code() != Code::key && e.code() != Code::not_found) throw;
    throw Error(Code::key, path + ": " + e.what() + "; without that file another key is made");
  }
}

}  // namespace

Credential credential_for_host(const base::Context& ctx, const backup::Repository& repository,
                               const std::string& host) {
  const Credential& own = repository.credential();
  if (own.role == backup::Role::host) return own;
  if (own.role != backup::Role::owner)
    throw Error(Code::key, "a maintenance key makes no backups, and so none on " + host);
  const std::string path = host_key_path(repository.id(), host);
  return ::access(path.c_str(), F_OK) == 0 ? kept(ctx, repository, path) : make(ctx, repository, host, path);
}

}  // namespace muster::cli
