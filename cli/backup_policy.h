// Which restore points are kept, as --keep-... say, and what happens to the others. Main's thread alone.
#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "backup/forget.h"
#include "cli/backup_repository.h"
#include "cli/program.h"

namespace muster::cli {

// Empty where no --keep-... was given. Throws base::Error{usage}.
backup::KeepPolicy keep_policy(const Settings& settings);

// Of local time, as it is now.
std::chrono::seconds zone_offset();

// Throws base::Error{key} for a key that lets nothing go: before work that ends with that.
void check_may_let_go(const backup::Repository& repository);

// Lets go, unless --dry-run is given. Returns what became of each.
std::vector<backup::ForgetDecision> forget_by_policy(const Program& program, const OpenedRepository& opened,
                                                     const backup::ForgetRequest& request);
// `kept` and `forgotten`, for the summary.
nlohmann::json forget_summary(const std::vector<backup::ForgetDecision>& decisions);

// Throws base::Error{usage} for what --prune cannot do, before anything is let go.
void check_prune_options(const Program& program);
// Gives back room, or with --dry-run says how much. Returns what the summary of `backup prune` has.
// `gone`: with --dry-run, points that would have been let go before.
nlohmann::json prune_repository(const Program& program, const OpenedRepository& opened,
                                const std::vector<backup::ForgetDecision>& gone = {});

}  // namespace muster::cli
