// Boots a machine for a try, and tells how far it comes: a transient domain that ends with the try, with the
// connection, or, where a hypervisor was killed meanwhile, with the next try. Thread-safe; each try has a machine of
// its own.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/check_definition.h"
#include "virt/connection.h"
#include "vm/boot_goal.h"

namespace muster::vm {

struct BootTry {
  std::string domain_xml;      // the original's
  virt::CheckMachine machine;  // offer, loaders, Ssh and mark are filled in here
  BootGoal goal;
  std::chrono::milliseconds patience{};  // for the goal
  std::string script{};                  // for the guest's shell, by its agent; empty: none
  std::chrono::seconds script_patience{};
};

struct BootStep {
  std::string stage;  // `firmware`, `kernel`, `agent`, `ssh`, `serial`, `script`
  std::chrono::milliseconds after{};
};

struct BootOutcome {
  bool booted = false;
  std::vector<BootStep> reached;
  std::string failure{};  // why not
  std::optional<int> script_status{};
  std::string script_output{};
  std::string console_end{};  // what it said last, where it did not boot
  std::chrono::milliseconds duration{};
};

// Blocks until the goal is reached, or the patience is over; the machine is gone then. `on_step` is called as it comes
// along. A machine that does not boot is an outcome. Throws base::Error{unsupported, usage, io, cancelled} where it
// cannot even be started.
BootOutcome try_boot(const base::Context& ctx, const virt::Connection& connection, const BootTry& request,
                     const std::function<void(const BootStep&)>& on_step);

// Ends machines of tries whose process is gone. Returns their names.
std::vector<std::string> end_left_tries(const virt::Connection& connection);

// Whether a kernel has spoken on the console. Pure.
bool kernel_spoke(std::string_view console);

}  // namespace muster::vm
