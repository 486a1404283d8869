// What machines are waited for: the value of `vm wait --for` and `vm create --wait`, and where each machine is asked.
#pragma once

#include <optional>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "cli/settings.h"
#include "cli/vm_selection.h"
#include "vm/milestone.h"

namespace muster::cli {

// nullopt: the option is not given. Throws base::Error{usage} naming the option.
std::optional<vm::Milestone> milestone_of(const Settings& settings, std::string_view option);

// For the worker. Where the inventory says a machine's address, that one alone counts: it is where the other commands
// will go.
nlohmann::json milestone_for(const VmTarget& target, vm::Milestone milestone);

}  // namespace muster::cli
