// What `muster clone create` is to make, out of its words and options: before any hypervisor is asked.
#pragma once

#include <string>
#include <vector>

#include "cli/verb_command.h"
#include "clone/clone_request.h"

namespace muster::cli {

// With its machines in the order in which they were named. Throws base::Error{usage} for names and addresses that
// cannot be, one that is named twice, more than kMaxClones, {refused} for --expect.
clone::CloneRequest clone_request_of(const VerbCommand& command);
inline constexpr std::size_t kMaxClones = 10'000;

}  // namespace muster::cli
