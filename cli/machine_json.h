// Machines as fields of --json (muster-json(7)).
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "vm/machine_facts.h"

namespace muster::cli {

nlohmann::json to_json(const vm::MachineFacts& facts);
nlohmann::json to_json(const vm::MachineDetails& details);

}  // namespace muster::cli
