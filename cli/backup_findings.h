// A look at whether a repository is whole, told: for check, repair, and create --check. Main's thread alone.
#pragma once

#include <optional>
#include <string>

#include "backup/check.h"
#include "cli/backup_repository.h"
#include "cli/program.h"

namespace muster::cli {

// `N/M` of an option: part N of M; all where it has no value. nullopt where it was not given.
// Throws base::Error{usage}.
struct DataPart {
  unsigned part = 1, parts = 1;
};
std::optional<DataPart> data_part(const Settings& settings, std::string_view option);

// --workers; 0 where it was not given. Throws base::Error{usage}.
unsigned worker_count(const Settings& settings);

// Checks, with progress. What is found goes to standard error, a line each, with what to do about it.
backup::CheckResult check_and_tell(const Program& program, const OpenedRepository& opened,
                                   const backup::CheckOptions& options);

}  // namespace muster::cli
