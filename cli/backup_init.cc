// muster backup init: a new repository. The key file comes first: cut short, it leaves a key without a repository,
// never a repository without its key.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/directory_storage.h"
#include "backup/object_names.h"
#include "backup/repository.h"
#include "backup/rfc3339.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/backup_commands.h"
#include "cli/backup_key_file.h"
#include "cli/backup_repository.h"
#include "cli/json_lines.h"

namespace muster::cli {
namespace {

using backup::NewRepository;
using backup::SlotKind;
using base::Code;
using base::Error;

std::string place_of(const BackupCommand& command) {
  if (command.words.size() > 1) command.explain();
  std::string where = command.words.empty() ? repository_name(command.program) : command.words.front();
  check_is_directory_name(where);
  return where;
}

// Options that exclude each other, and what is asked for.
NewRepository wanted(const Program& program) {
  const Settings& settings = program.settings;
  const bool clear = settings.flag("no-encryption"), passphrase = settings.given("passphrase");
  const bool file = settings.source("key-file") == Settings::Source::option;
  if (int{clear} + int{passphrase} + int{file} > 1)
    throw Error(Code::usage, "--no-encryption, --passphrase and --key-file exclude each other");
  NewRepository repository{.created = backup::rfc3339(backup::now())};
  if (clear) repository.slot = SlotKind::clear;
  if (passphrase) repository.slot = SlotKind::passphrase;
  if (const auto text = settings.text("chunk-size")) {
    const std::uint64_t bytes = base::parse_size(*text);
    backup::check_chunk_bytes(bytes);
    repository.chunk_bytes = static_cast<std::uint32_t>(bytes);
  }
  return repository;
}

void check_none_there(const base::Context& ctx, const std::string& where) {
  try {
    if (!backup::DirectoryStorage(where).stat(ctx, backup::kConfigName)) return;
  } catch (const Error& e) {
    if (e.code() == Code::not_found) return;
    throw;
  }
  throw Error(Code::refused, where + " is a repository already");
}

int make(const Program& program, const std::string& where, NewRepository wanted) {
  if (wanted.slot == SlotKind::passphrase) wanted.passphrase = new_passphrase(program, "passphrase").value();
  const auto created = backup::plan_repository(wanted);
  const std::string id = backup::hex(created.config.repository);
  const std::string path =
      !created.key_file ? "" : program.settings.text("key-file").value_or(usual_key_path(created.config.repository));
  if (created.key_file) check_key_path(path);
  backup::DirectoryStorage::create(where);
  if (created.key_file) write_key_file(path, *created.key_file);
  backup::DirectoryStorage storage(where);
  backup::create_repository(until_interrupt(program), storage, created, wanted);
  tell(program, fmt::format("repository {} in {}", id, where));
  if (created.key_file)
    program.ctx.note("its key is " + path + ": keep a copy of that file elsewhere, nothing can be restored without it");
  if (wanted.slot == SlotKind::passphrase)
    program.ctx.note(
        "nothing can be restored without the passphrase: `muster backup key export` prints what helps then");
  if (program.json())
    program.console.out(json_line("result", {{"repository", where},
                                             {"repository_id", id},
                                             {"encrypted", created.config.encrypted},
                                             {"key_file", path.empty() ? nlohmann::json() : nlohmann::json(path)},
                                             {"chunk_bytes", created.config.chunk_bytes}}));
  return close_backup(program, nlohmann::json::object(), 0);
}

int show_plan(const Program& program, const std::string& where, const NewRepository& wanted) {
  const std::string what = fmt::format("make a repository in {}, {}", where,
                                       wanted.slot == SlotKind::clear        ? "without encryption"
                                       : wanted.slot == SlotKind::passphrase ? "with a passphrase"
                                                                             : "with a key file");
  return close_plan(program, "init", what);
}

}  // namespace

int backup_init(const BackupCommand& command) {
  const Program& program = command.program;
  const std::string where = place_of(command);
  const NewRepository repository = wanted(program);
  check_none_there(until_interrupt(program), where);
  backup::DirectoryStorage::check_creatable(where);
  return program.settings.flag("dry-run") ? show_plan(program, where, repository) : make(program, where, repository);
}

}  // namespace muster::cli
