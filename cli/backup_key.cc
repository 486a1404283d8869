// muster backup key list, remove; add is backup_key_add.cc, export and recover backup_recovery.cc.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/object_names.h"
#include "backup/repository.h"
#include "base/error.h"
#include "cli/backup_commands.h"
#include "cli/backup_repository.h"
#include "cli/json_lines.h"
#include "cli/text_table.h"

namespace muster::cli {
namespace {

using backup::KeySlot;
using backup::Role;
using base::Code;
using base::Error;
using nlohmann::json;

json slot_fields(const backup::SlotFacts& facts) {
  return {{"slot", backup::hex(facts.slot)},
          {"kind", backup::name_of(facts.kind)},
          {"role", backup::name_of(facts.role)},
          {"label", facts.label},
          {"created", facts.created}};
}

// What a repository says of its keys it says to everybody.
int list(const BackupCommand& command) {
  const Program& program = command.program;
  const auto ctx = until_interrupt(program);
  const auto storage = open_storage(program);
  TextTable table({"SLOT", "KIND", "ROLE", "LABEL", "CREATED"});
  for (const auto& slot : backup::read_slots(ctx, *storage, backup::read_config(ctx, *storage))) {
    const auto& facts = slot.facts();
    if (program.json()) program.console.out(json_line("result", slot_fields(facts)));
    table.add_row({backup::hex(facts.slot), backup::name_of(facts.kind), backup::name_of(facts.role), facts.label,
                   facts.created});
  }
  if (!program.json()) program.console.out(table.text());
  return close_backup(program, json::object(), 0);
}

const KeySlot& find_slot(const std::vector<KeySlot>& slots, const std::string& word) {
  const KeySlot* found = nullptr;
  for (const auto& slot : slots) {
    if (word.size() < 4 || !backup::hex(slot.facts().slot).starts_with(word)) continue;
    if (found != nullptr) throw Error(Code::usage, "'" + word + "' is more than one key: write more digits");
    found = &slot;
  }
  if (found == nullptr) throw Error(Code::usage, "no key '" + word + "': muster backup key list shows them");
  return *found;
}

// Without an owner's key nobody can restore anything, but by the recovery text.
void check_owner_stays(const Program& program, const std::vector<KeySlot>& slots, const KeySlot& going) {
  const auto owners =
      std::count_if(slots.begin(), slots.end(), [](const KeySlot& slot) { return slot.facts().role == Role::owner; });
  if (going.facts().role != Role::owner || owners > 1 || program.settings.flag("yes")) return;
  throw Error(Code::refused, "key " + backup::hex(going.facts().slot) +
                                 " is the last one of the owner, nothing could be restored without it: add another, or "
                                 "say --yes where you have what `muster backup key export` printed");
}

int remove(const BackupCommand& command) {
  const Program& program = command.program;
  const auto opened = open_repository(program);
  const auto& [ctx, repository] = opened;
  if (repository.credential().role != Role::owner)
    throw Error(Code::key, "only the owner's key removes keys of the repository");
  const auto slots = backup::read_slots(ctx, repository.storage(), repository.config());
  const auto& facts = find_slot(slots, command.only_word()).facts();
  check_owner_stays(program, slots, find_slot(slots, command.only_word()));
  const bool host = facts.role == Role::host;
  const std::string what = fmt::format("key {} ({}, {}){}", backup::hex(facts.slot), backup::name_of(facts.role),
                                       facts.label, host ? ", and shut its host out" : "");
  if (program.settings.flag("dry-run")) return close_plan(program, "key remove", "remove " + what);
  // The host's own copy of the key still signs: from now on nobody believes it.
  if (host) repository.revoke_host(ctx, facts.slot);
  repository.storage().remove(ctx, backup::object_name(backup::kKeysPrefix, facts.slot));
  tell(program, "removed " + what);
  if (program.json()) program.console.out(json_line("result", slot_fields(facts)));
  return close_backup(program, json::object(), 0);
}

}  // namespace

// What only other verbs of `key` understand must not look as if it were heeded.
void reject_options(const Settings& settings, std::initializer_list<const char*> options, const std::string& what) {
  for (const char* option : options)
    if (settings.given_now(option)) settings.reject(option, "key " + what + " has no such option");
}

int backup_key(const BackupCommand& command) {
  if (command.words.empty()) command.explain();
  const BackupCommand rest{command.program, command.verb, {command.words.begin() + 1, command.words.end()}};
  const std::string& what = command.words.front();
  const Settings& settings = command.program.settings;
  if (what != "add") reject_options(settings, {"role", "domain", "machine", "new-passphrase"}, what);
  if (what != "add" && what != "recover") reject_options(settings, {"to", "label"}, what);
  if (what == "remove") return remove(rest);
  rest.no_words();
  if (what == "add") return backup_key_add(rest);
  if (what == "list") return list(rest);
  if (what == "export") return backup_key_export(rest);
  if (what == "recover") return backup_key_recover(rest);
  command.explain();
}

}  // namespace muster::cli
