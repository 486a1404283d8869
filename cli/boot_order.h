// What `backup check --boot` is to do: how far machines are to come, and which restore points are tried. Pure, but for
// the script, which is read.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "backup/restore_point.h"
#include "cli/settings.h"
#include "vm/boot_goal.h"

namespace muster::cli {

struct BootOrder {
  vm::BootGoal goal;
  std::chrono::milliseconds patience{};
  std::string script;              // its text; empty: none
  std::uint64_t memory_bytes = 0;  // at most
  std::int64_t cpus = 0;           // at most
};
// Throws base::Error{usage, not_found, io}.
BootOrder boot_order(const Settings& settings);

// Those that `words` mean: restore points, or patterns, which mean the newest of each machine that matches; without any
// the newest of every machine. All know their machine. Throws base::Error{usage}.
std::vector<const backup::ListedPoint*> choose_bootable(const std::vector<backup::ListedPoint>& points,
                                                        const std::vector<std::string>& words);

}  // namespace muster::cli
