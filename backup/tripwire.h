// Whether a machine's latest restore point looks as if somebody were encrypting its disks: far more is new than it ever
// was, and what is new does not compress any more, unlike before. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backup/restore_point.h"

namespace muster::backup {

// The tag of a restore point that looks like that: until somebody takes it away, nothing of the machine is forgotten.
inline constexpr const char* kSuspectTag = "suspect";

// `history`: of the same machine, in order, without `latest`. In words; nullopt: nothing of the kind, or too little is
// known to tell.
std::optional<std::string> looks_encrypted(const std::vector<RestorePoint>& history, const RestorePoint& latest);

}  // namespace muster::backup
