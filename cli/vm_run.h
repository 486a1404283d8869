// One operation on many machines: each a unit of a run, done by its hypervisor's worker; what came of it as a line, or
// as a result of --json.
#pragma once

#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "cli/hypervisor_workers.h"
#include "cli/program.h"
#include "cli/unit_run.h"
#include "cli/vm_selection.h"

namespace muster::cli {

struct VmOperation {
  std::string name;                                                 // of the worker's operation
  std::function<nlohmann::json(const VmTarget& target)> arguments;  // beside `domain`; empty: none
  HypervisorWorkers::Patience patience;
  // The line for one machine, from the operation's result; empty: none.
  std::function<std::string(const VmTarget& target, const nlohmann::json& result)> line;
  // It worked, but something is left that the line names: exit status 3. Empty: never.
  std::function<bool(const nlohmann::json& result)> incomplete = {};
  // What the progress line says of a machine, from the operation's progress; empty: it has none.
  std::function<std::string(const nlohmann::json& progress)> progress = {};
  Closing closing = Closing::usual;
  // What becomes of the operation's result before it is shown; empty: it is shown as it is.
  std::function<nlohmann::json(nlohmann::json result)> shown = {};
};

// Any work on machines, or other units. What it throws is that unit's failure.
struct MachineWork {
  std::function<nlohmann::json(std::size_t number)> run;  // of a unit; returns the fields of its result
  std::function<void()> before_closing = {};
  std::function<int(int status)> judge = {};  // the exit status, out of what the units make of it
  UnitRun::Summary summary = {};
};
// The fields by which the results of --json tell units apart.
using Identity = std::function<nlohmann::json(std::size_t number)>;
int run_on_units(const Program& program, UnitRun& run, const Identity& identity, const MachineWork& work);
int run_on_machines(const Program& program, UnitRun& run, const VmSelection& selection, const MachineWork& work);

// Returns the exit status: where all that went wrong went wrong in the same way and nothing worked, that way's own.
int run_on_machines(const Program& program, HypervisorWorkers& workers, const VmSelection& selection,
                    const VmOperation& operation);

// What one operation may take where nobody said.
inline constexpr std::chrono::seconds kUsualPatience{60};
// Disks of machines that are off may be looked into by guestfish, two at a time.
inline constexpr std::chrono::minutes kHostKeyPatience{15};

}  // namespace muster::cli
