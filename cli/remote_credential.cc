#include "cli/remote_credential.h"

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "backup/object_names.h"
#include "backup/rfc3339.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/backup_key_file.h"
#include "cli/environment.h"

namespace muster::cli {
namespace {

using backup::Credential;
using base::Code;
using base::Error;

constexpr std::chrono::seconds kLockPatience{60};
constexpr std::chrono::milliseconds kLockInterval{50};

// Of two runs at once one makes the key, and the other finds it.
base::UniqueFd lock_keys(const base::Context& ctx) {
  const std::string path = runtime_directory() + "/host-keys.lock";
  base::UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) base::throw_errno("open " + path);
  const auto deadline = base::Clock::now() + kLockPatience;
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) base::throw_errno("lock " + path);
    ctx.check_stop();
    if (base::Clock::now() >= deadline) throw Error(Code::busy, "another backup makes a host's key all the while");
    std::this_thread::sleep_for(kLockInterval);
  }
  return file;
}

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
  ctx.note("muster on " + host +
           " has a key of its own from now on, that makes restore points and reads none: " + backup::hex(facts.slot));
  return credential;
}

// nullopt: there is none, or making it broke off before anything could be opened with it. Throws Error{key} for one
// that was removed from the repository.
std::optional<Credential> kept(const base::Context& ctx, const backup::Repository& repository,
                               const std::string& path) {
  std::optional<backup::KeyFile> file;
  try {
    file = read_key_file(path);
  } catch (const Error& e) {
    if (e.code() != Code::not_found && e.code() != Code::key) throw;
    return std::nullopt;
  }
  const auto host = repository.host(ctx, file->slot);
  if (host && host->revoked)
    throw Error(Code::key, path + ": it was removed from the repository; without that file another key is made");
  const std::string slot = backup::object_name(backup::kKeysPrefix, file->slot);
  if (!host || !repository.storage().stat(ctx, slot)) return std::nullopt;
  // Not the storage's owner: it lives as long as the repository, and so as this call.
  const std::shared_ptr<backup::Storage> storage(std::shared_ptr<backup::Storage>(), &repository.storage());
  return backup::open_repository(ctx, storage, {.key_file = file, .passphrase = {}, .owner_secret = {}}).credential();
}

}  // namespace

Credential credential_for_host(const base::Context& ctx, const backup::Repository& repository,
                               const std::string& host) {
  const Credential& own = repository.credential();
  if (own.role == backup::Role::host) return own;
  if (own.role != backup::Role::owner)
    throw Error(Code::key, "a maintenance key makes no backups, and so none on " + host);
  const std::string path = host_key_path(repository.id(), host);
  const auto lock = lock_keys(ctx);
  if (auto credential = kept(ctx, repository, path)) return *credential;
  ::unlink(path.c_str());
  return make(ctx, repository, host, path);
}

}  // namespace muster::cli
