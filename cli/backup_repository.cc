#include "cli/backup_repository.h"

#include <algorithm>

#include <unistd.h>

#include "backup/directory_storage.h"
#include "backup/object_names.h"
#include "base/error.h"
#include "cli/backup_key_file.h"
#include "cli/connect_options.h"
#include "cli/exit_status.h"

namespace muster::cli {
namespace {

using backup::SlotKind;
using backup::Storage;
using backup::Unlocking;
using base::Code;
using base::Error;

bool has_slot(const std::vector<backup::KeySlot>& slots, SlotKind kind) {
  return std::any_of(slots.begin(), slots.end(), [&](const auto& slot) { return slot.facts().kind == kind; });
}

// What a shell asks while it completes a word never asks back.
bool may_ask(const Program& program) { return !program.settings.flag("names"); }

Unlocking with_file(const std::string& path) {
  Unlocking unlocking;
  unlocking.key_file = read_key_file(path);
  return unlocking;
}

Unlocking with_passphrase(const std::string& passphrase) {
  Unlocking unlocking;
  unlocking.passphrase = passphrase;
  return unlocking;
}

// The key that nobody named: in its usual place, in clear, or typed in.
Unlocking found_key(const Program& program, Storage& storage, const backup::Config& config) {
  const std::string path = usual_key_path(config.repository);
  if (::access(path.c_str(), F_OK) == 0) return with_file(path);
  const auto slots = backup::read_slots(until_interrupt(program), storage, config);
  if (has_slot(slots, SlotKind::clear)) return {};
  if (has_slot(slots, SlotKind::passphrase) && may_ask(program))
    if (const auto passphrase = ask_on_terminal("passphrase of " + storage.where() + ": ", program.interrupts.drain()))
      return with_passphrase(*passphrase);
  throw Error(Code::key, storage.where() + ": no key: there is no " + path +
                             (has_slot(slots, SlotKind::passphrase) ? "; name one with --key-file, or say --passphrase"
                                                                    : "; name one with --key-file"));
}

Unlocking named_key(const Program& program, Storage& storage, const backup::Config& config) {
  // An option wins over a variable.
  const bool asks = program.settings.source("passphrase") == Settings::Source::option &&
                    program.settings.source("key-file") != Settings::Source::option;
  if (const auto path = program.settings.text("key-file"); path && !asks) return with_file(*path);
  if (const auto passphrase = asked_secret(program, "passphrase", "passphrase of " + storage.where() + ": "))
    return with_passphrase(*passphrase);
  return found_key(program, storage, config);
}

std::shared_ptr<Storage> storage_at(const base::Context& ctx, const std::string& where) {
  check_is_directory_name(where);
  std::shared_ptr<Storage> storage;
  try {
    storage = std::make_shared<backup::DirectoryStorage>(where);
  } catch (const Error& e) {
    if (e.code() != Code::not_found) throw;
    throw NoRepository(e.what());
  }
  if (!storage->stat(ctx, backup::kConfigName)) throw NoRepository(where + ": there is no repository");
  return storage;
}

}  // namespace

base::Context until_interrupt(const Program& program) {
  return {.stop = program.interrupts.drain(), .events = program.ctx.events};
}

std::string repository_name(const Program& program) {
  if (auto where = program.settings.text("repository")) return *where;
  throw Error(Code::usage, "no repository: name one with -R, MUSTER_REPOSITORY or the configuration");
}

void check_is_directory_name(const std::string& where) {
  if (where.empty()) throw Error(Code::usage, "an empty name is no repository");
  const std::size_t scheme = where.find("://");
  if (scheme != std::string::npos)
    throw Error(Code::unsupported,
                where + ": repositories behind " + where.substr(0, scheme) + ":// are not there yet; name a directory");
}

std::shared_ptr<Storage> open_storage(const Program& program) {
  return storage_at(until_interrupt(program), repository_name(program));
}

OpenedRepository open_repository(const Program& program) {
  const base::Context ctx = until_interrupt(program);
  const auto storage = open_storage(program);
  const auto unlocking = named_key(program, *storage, backup::read_config(ctx, *storage));
  return {.context = ctx, .repository = backup::open_repository(ctx, storage, unlocking)};
}

backup::Repository open_second_repository(const Program& program, const std::string& where) {
  const base::Context ctx = until_interrupt(program);
  const auto storage = storage_at(ctx, where);
  return backup::open_repository(ctx, storage, found_key(program, *storage, backup::read_config(ctx, *storage)));
}

}  // namespace muster::cli
