// Lines of crontabs (crontab(5)) that muster writes and finds again: a file of its own in /etc/cron.d, or a marked
// block in somebody's table. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::cli {

// Five fields, or @daily and the like. Throws base::Error{usage} for what cron would pass over.
void check_cron_expression(const std::string& expression);

// Letters, digits, `-` and `_`: cron passes over files of other names. Throws base::Error{usage}.
void check_job_name(const std::string& name);

// The words as the shell that cron starts reads them, on one line, in which `%` is no newline. Throws
// base::Error{usage} for a newline in a word.
std::string cron_command(const std::vector<std::string>& words);

struct CronJob {
  std::string name, expression, command;
  std::string user;  // of a table in /etc/cron.d; empty: of a user's own
};
// The marked block, with its newlines.
std::string cron_block(const CronJob& job);

// A table with the job's block, in place of one that is there; and without it. Throw base::Error{refused} for a block
// without an end.
std::string with_job(std::string_view table, const CronJob& job);
std::string without_job(std::string_view table, const std::string& name);

// The jobs whose blocks a table has; `user`: its lines name one.
std::vector<CronJob> jobs_in(std::string_view table, bool with_user);

}  // namespace muster::cli
