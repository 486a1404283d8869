// Operations of a worker on the end of machines: into the trash, for good, and back.
#include <array>
#include <optional>
#include <semaphore>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/final_backup.h"
#include "cli/worker_operations.h"
#include "vm/creation.h"
#include "vm/retire.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;
using vm::Aim;
using vm::PlannedStep;

// Each is a process that loads an index: so many at once, as create has it for one hypervisor.
constexpr std::ptrdiff_t kBackupsAtOnce = 2;

void back_up(const base::Context& ctx, const std::vector<std::string>& argv) {
  static std::counting_semaphore<kBackupsAtOnce> places(kBackupsAtOnce);
  while (!places.try_acquire_for(std::chrono::milliseconds(100))) ctx.check_stop();
  struct Place {
    ~Place() { places.release(); }
  } const place;
  run_final_backup(ctx, argv);
}

vm::RetireOptions options_of(const WorkerCall& call) {
  vm::RetireOptions options{.aim = call.arguments.value("purge", false) ? Aim::purge : Aim::trash,
                            .services = call.arguments.value("services", std::vector<std::string>{}),
                            .grace = std::chrono::milliseconds(call.arguments.value("grace_ms", std::int64_t{120'000})),
                            .keep = std::chrono::seconds(call.arguments.value("keep_s", std::int64_t{0})),
                            .discard_saved_memory = call.arguments.value("discard_saved", false)};
  if (call.arguments.contains("backup"))
    options.final_backup = [argv = call.arguments["backup"].get<std::vector<std::string>>()](const base::Context& ctx) {
      back_up(ctx, argv);
    };
  for (const auto& name : call.arguments.value("skip", std::vector<std::string>{}))
    options.left_out.insert(vm::optional_step(name));
  return options;
}

const char* name_of(PlannedStep::Fate fate) {
  if (fate == PlannedStep::Fate::due) return "due";
  return fate == PlannedStep::Fate::left_out ? "left out" : "not needed";
}

json to_json(const std::vector<PlannedStep>& plan) {
  json steps = json::array();
  for (const auto& planned : plan)
    steps.push_back({{"step", vm::name_of(planned.step)}, {"fate", name_of(planned.fate)}, {"what", planned.what}});
  return {{"outcome", "plan"}, {"steps", std::move(steps)}};
}

json to_json(const vm::RetireOutcome& outcome) {
  json fields = {{"changed", outcome.changed}};
  if (!outcome.removed.empty()) fields["removed"] = outcome.removed;
  if (!outcome.kept.empty()) fields["kept"] = outcome.kept;
  if (!outcome.remaining.empty()) fields["remaining"] = outcome.remaining;
  if (outcome.trash_name.empty()) return fields;
  fields["trash_name"] = outcome.trash_name;
  fields["expires"] = vm::time_text(outcome.expires);
  fields["held_bytes"] = outcome.held_bytes;
  return fields;
}

// Tells of steps as they are done, where that was asked for.
vm::StepObserver observer_of(const WorkerCall& call, const std::string& name) {
  if (!call.arguments.value("verbose", false)) return {};
  return [&call, name](const PlannedStep& planned, vm::Progress progress) {
    const std::string step = name + ": " + vm::name_of(planned.step);
    if (progress == vm::Progress::begins) call.ctx.note(step + ": " + planned.what);
    if (progress == vm::Progress::taken) call.ctx.note(step + ": done");
  };
}

std::string name_argument(const WorkerCall& call) { return call.arguments.at("domain").get<std::string>(); }

// What a broken `vm create` left has no disks or guest yet that a trash could keep.
std::optional<vm::Leftover> half_made(const WorkerCall& call, const virt::Domain& domain) {
  auto leftover = vm::find_leftover(call.connection, domain.name());
  if (leftover) vm::check_abandoned(*leftover, vm::TakeOver::when_unknown);
  return leftover;
}

json retire_plan(const WorkerCall& call) {
  const auto domain = vm::to_retire(call.connection, name_argument(call));
  if (half_made(call, domain))
    return to_json({{vm::Step::disks, PlannedStep::Fate::due, "remove the volumes that were made for it"},
                    {vm::Step::unregister, PlannedStep::Fate::due, "remove what was half made, at once"}});
  return to_json(vm::plan_retirement(call.ctx, call.connection, domain, options_of(call)));
}

// One that came back, and went again, since it was listed is not the one that was listed.
void check_deleted_then(const WorkerCall& call, const virt::Domain& domain) {
  const auto retirement = vm::retirement_of(domain);
  if (!retirement || vm::time_text(retirement->deleted) != call.arguments.at("deleted").get<std::string>())
    throw Error(Code::busy, "'" + name_argument(call) + "' came back from the trash meanwhile: it stays");
}

json retire(const WorkerCall& call) {
  const auto domain = vm::to_retire(call.connection, name_argument(call));
  if (call.arguments.contains("deleted")) check_deleted_then(call, domain);
  if (const auto leftover = half_made(call, domain))
    return {{"changed", true}, {"removed", vm::remove(call.ctx, call.connection, *leftover)}};
  return to_json(
      vm::retire(call.ctx, call.connection, domain, options_of(call), observer_of(call, name_argument(call))));
}

json restore_plan(const WorkerCall& call) {
  return to_json(vm::plan_restoration(call.connection, vm::to_restore(call.connection, name_argument(call))));
}

json restore(const WorkerCall& call) {
  const auto domain = vm::to_restore(call.connection, name_argument(call));
  const auto outcome = vm::restore(call.ctx, call.connection, domain, observer_of(call, name_argument(call)));
  return {{"restored", outcome.name},
          {"state", virt::name_of(call.connection.domain(outcome.name).state())},
          {"snapshots", outcome.snapshots},
          {"checkpoints", outcome.checkpoints},
          {"was_running", outcome.was_running}};
}

// What is under way, or was when it broke off; empty: it lies in the trash.
const char* under_way(const vm::Tombstone& tombstone) {
  if (!tombstone.unfinished()) return "";
  if (tombstone.retirement.aim == Aim::undelete) return "undelete";
  return tombstone.retirement.aim == Aim::purge ? "purge" : "delete";
}

json to_json(const vm::Tombstone& tombstone) {
  const auto& retirement = tombstone.retirement;
  const bool in_trash = tombstone.in_trash();
  json fields = {{"name", retirement.name},
                 {"trash_name", in_trash || !tombstone.damage.empty() ? tombstone.domain.name() : ""},
                 {"held_bytes", vm::held_bytes(tombstone.domain)},
                 {"unfinished", under_way(tombstone)},
                 {"damage", tombstone.damage}};
  if (!tombstone.damage.empty()) return fields;
  fields["deleted"] = vm::time_text(retirement.deleted);
  fields["expires"] = vm::time_text(retirement.expires);
  fields["expired"] = retirement.expires <= vm::now();
  return fields;
}

json trash(const WorkerCall& call) {
  std::optional<std::chrono::seconds> older_than;
  if (call.arguments.contains("older_than_s"))
    older_than = std::chrono::seconds(call.arguments.at("older_than_s").get<std::int64_t>());
  json machines = json::array();
  for (const auto& tombstone : vm::tombstones(call.connection)) {
    call.ctx.check_stop();
    json fields = to_json(tombstone);
    fields["due"] = vm::is_due(tombstone, older_than);
    machines.push_back(std::move(fields));
  }
  return {{"machines", std::move(machines)}};
}

constexpr std::array kRetireOperations{WorkerOperation{"retire_plan", retire_plan}, WorkerOperation{"retire", retire},
                                       WorkerOperation{"restore_plan", restore_plan},
                                       WorkerOperation{"restore", restore}, WorkerOperation{"trash", trash}};

}  // namespace

std::span<const WorkerOperation> retire_operations() { return kRetireOperations; }

}  // namespace muster::cli
