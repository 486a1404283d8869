// What machines and hypervisors use, as tables for people: one line a machine, one a hypervisor. Pure functions.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/settings.h"

namespace muster::cli {

enum class UsageOrder { as_given, cpu, memory, disk, net };
const char* name_of(UsageOrder order);
// --sort, or `usual`. Throws base::Error{usage}.
UsageOrder usage_order(const Settings& settings, UsageOrder usual);

// `machines`: as the operation `statistics` gives them, each with its `uri`. The largest first.
std::string machine_usage_table(std::vector<nlohmann::json> machines, UsageOrder order);

// `hypervisors`: objects with `uri`, and either `error`, or `machines` and `node`.
std::string hypervisor_usage_table(const std::vector<nlohmann::json>& hypervisors);

}  // namespace muster::cli
