// The verbs of `muster backup`, by topic. Each takes the words after the verb and returns the exit status.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/context.h"
#include "cli/program.h"

namespace muster::cli {

struct BackupCommand {
  const Program& program;
  std::string verb;
  std::vector<std::string> words;  // after the verb

  // The one word there must be. These throw base::Error{usage} naming the verb's arguments.
  const std::string& only_word() const;
  void no_words() const;
  [[noreturn]] void explain() const;
};

int backup_init(const BackupCommand& command);
// add, list, remove, export, recover
int backup_key(const BackupCommand& command);
int backup_create(const BackupCommand& command);
int backup_list(const BackupCommand& command);
int backup_show(const BackupCommand& command);
// tag, pin
int backup_label(const BackupCommand& command);
int backup_status(const BackupCommand& command);
int backup_diff(const BackupCommand& command);
int backup_stats(const BackupCommand& command);
int backup_restore(const BackupCommand& command);
int backup_check(const BackupCommand& command);
int backup_repair(const BackupCommand& command);
int backup_forget(const BackupCommand& command);
int backup_prune(const BackupCommand& command);
int backup_schedule(const BackupCommand& command);
int backup_serve(const BackupCommand& command);
// ls, cat
int backup_files(const BackupCommand& command);

// check --boot
int backup_check_boot(const BackupCommand& command);

// serve --boot NAME
int backup_serve_boot(const BackupCommand& command, const std::string& name);

// Parts of `key`, each with the words after its own.
int backup_key_add(const BackupCommand& command);
int backup_key_export(const BackupCommand& command);
int backup_key_recover(const BackupCommand& command);

// The last of every verb: the summary of --json, with `exit` added. Returns `status`.
int close_backup(const Program& program, nlohmann::json summary, int status);
// The last of a verb that only tells what it would do: `serve web01` for "would serve web01", its result with --json,
// and the summary with the verb. Returns the status of success.
int close_plan(const Program& program, const std::string& verb, const std::string& what);
// A line of the plan of --dry-run, or of what was done; not with --json, nor where -q wants silence on success.
void tell(const Program& program, const std::string& line);
// --yes, or a terminal that says so. Throws base::Error{refused} otherwise.
void confirm_backup(const Program& program, const std::string& question);

}  // namespace muster::cli
