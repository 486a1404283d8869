// The end of a machine in a hypervisor's care, as a plan of steps: into the trash, where it lies as it was until it
// expires, or for good; and back from the trash. The journal stands in the machine's metadata (tombstone.h): whoever
// is killed in between, the next call for the same machine goes on where it was, and restore() undoes what was done.
// Block: on the guest's shutdown for at most the grace given, else on libvirt. Thread-safe for different machines.
#pragma once

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/context.h"
#include "vm/tombstone.h"

namespace muster::vm {

struct RetireOptions {
  Aim aim = Aim::trash;  // or purge
  std::set<Step> left_out = {};
  // Makes a restore point of the machine, which is off by then, or throws; empty: none is made.
  std::function<void(const base::Context& ctx)> final_backup = {};
  std::vector<std::string> services = {};  // of the guest, for Step::stop_services
  std::chrono::milliseconds grace{120'000};
  std::chrono::seconds keep{7 * 24 * 3600};  // in the trash
  bool discard_saved_memory = false;
};

struct PlannedStep {
  enum class Fate {
    due,
    not_needed,  // nothing to be done, or done already
    left_out,    // on demand, or because it cannot be
  };
  Step step = Step::unregister;
  Fate fate = Fate::due;
  std::string what;  // for people
};

// Changes nothing. Throws base::Error{refused} for what would lose what belongs to others or was not said to go: an
// image with other users, a saved memory, a machine that runs and is not to be shut down, or that runs in the trash,
// one that is transient.
std::vector<PlannedStep> plan_retirement(const base::Context& ctx, const virt::Connection& connection,
                                         const virt::Domain& domain, const RetireOptions& options);

// Told of each step that is due, wherever being killed makes a difference.
enum class Progress {
  begins,
  prepared,  // the journal has what undoing it needs
  taken,     // the journal does not say so yet
  done,
};
using StepObserver = std::function<void(const PlannedStep& step, Progress progress)>;

struct RetireOutcome {
  std::string name;                    // the machine's own
  std::string trash_name;              // of the domain in the trash; empty: it is gone
  Time expires{};                      // in the trash
  std::uint64_t held_bytes = 0;        // what its disks take there
  std::vector<std::string> removed;    // images
  std::vector<std::string> kept;       // images that stay, with the reason, of a machine that is gone
  std::vector<std::string> remaining;  // images that were its own, and that somebody has to remove by hand
  bool changed = true;
};

// Throws as plan_retirement(), before anything is done, and what a step throws; then the journal keeps what was done.
// {busy} is where somebody else began to retire or restore it meanwhile, or started it before its images went.
RetireOutcome retire(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                     const RetireOptions& options, const StepObserver& observer = {});

struct RestoreOutcome {
  std::string name;
  std::size_t snapshots = 0, checkpoints = 0;  // entries that are there again
  bool was_running = false;                    // when it was retired; it is not started
};

// Makes the machine what it was, off; also one whose retirement broke off. Checkpoints that libvirt does not take
// again are named in a warning. Throws base::Error{refused} where another machine has its name, its disks began to be
// removed, or somebody started it in the trash, {busy} as retire().
RestoreOutcome restore(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                       const StepObserver& observer = {});
// What restore() would do, in its order. Throws as it does.
std::vector<PlannedStep> plan_restoration(const virt::Connection& connection, const virt::Domain& domain);

// The domain that `name` means: a machine of that name, one in the trash that had it, or a trash's own name. The first
// goes before the second. Throws base::Error{not_found}, {usage} where several in the trash had the name.
virt::Domain to_retire(const virt::Connection& connection, const std::string& name);
// The same for restore(): in the trash first, then one whose retirement broke off.
virt::Domain to_restore(const virt::Connection& connection, const std::string& name);

}  // namespace muster::vm
