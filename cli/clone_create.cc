// muster clone create: machines out of a master, planned on their hypervisor and made one by one.
#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/clone_commands.h"
#include "cli/clone_orders.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"
#include "cli/unit_run.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::chrono::minutes kPlanPatience{10};
// Images are copied at the disks' speed.
constexpr std::chrono::hours kMakePatience{4};

// One machine of the run, and what its hypervisor plans for it: as text, which takes a fraction of what JSON does as
// a tree.
struct Clone {
  VmTarget target;
  std::string plan_text;
  json plan() const { return json::parse(plan_text); }
};

struct Plan {
  json master;  // the fields that all have in common
  std::vector<Clone> clones;
};

void add_plan_of(const VerbCommand& command, const std::string& uri, const clone::CloneRequest& request, Plan& plan) {
  const auto take = [&](const json& planned) {
    const std::string name = planned.at("name");
    plan.clones.push_back({.target = {.name = name, .uri = uri, .domain = name}, .plan_text = planned.dump()});
  };
  plan.master = command.workers.call(
      uri, "clone_plan",
      {{"request", clone::to_json(request)}, {"take_over", command.program.settings.flag("yes")}}, kPlanPatience, take);
}

// The same for all of them, mostly: once.
void tell_left_out(const VerbCommand& command, const std::vector<Clone>& clones) {
  std::map<std::string, std::size_t> counts;
  for (const auto& clone : clones)
    for (const auto& what : clone.plan().at("left_out")) ++counts[what.get<std::string>()];
  for (const auto& [what, count] : counts)
    command.program.ctx.note(fmt::format("{} of {} clones: left out {}", count, clones.size(), what));
}

std::string master_name(const Plan& plan) {
  return fmt::format("{}@{}", plan.master.value("master", ""), plan.master.value("generation", 0));
}

std::string plan_line(const Plan& plan, const VmTarget& target, const json& planned) {
  std::string text = fmt::format("{}: {}", target.name, planned.value("plan", ""));
  if (!planned.contains("making")) return text + " on " + target.uri + "\n";
  text += fmt::format(", {} to {}, on {}\n", planned.value("kind", ""), master_name(plan), target.uri);
  for (const auto& volume : planned["making"].at("volumes"))
    text += fmt::format("  volume {} of pool {}\n", volume.value("name", ""), volume.value("pool", ""));
  for (const auto& mac : planned.at("macs")) text += fmt::format("  interface {}\n", mac.get<std::string>());
  return text;
}

// What users may read of a plan: not the seed, which may hold secrets of theirs.
json shown(const Plan& plan, json planned) {
  planned.update(plan.master);
  if (!planned.contains("making")) return planned;
  planned["uuid"] = planned["making"].at("uuid");
  planned["xml"] = planned["making"].at("definition");
  planned.erase("making");
  return planned;
}

json make(const VerbCommand& command, const Plan& plan, const Clone& clone) {
  const json planned = clone.plan();
  const bool there = !planned.contains("making");
  json fields = plan.master;
  fields.update({{"kind", planned.at("kind")}, {"made", !there}, {"changed", !there}});
  if (there) return fields;
  fields["macs"] = planned.at("macs");
  fields.update(command.workers.call(
      clone.target.uri, "clone_make",
      {{"making", planned.at("making")}, {"take_over", command.program.settings.flag("yes")}}, kMakePatience));
  return fields;
}

std::string made_line(const Plan& plan, const Clone& clone, const json& result) {
  if (!result.value("made", false)) return fmt::format("{}: unchanged\n", clone.target.name);
  return fmt::format("{}: made, {} to {}\n", clone.target.name, result.value("kind", ""), master_name(plan));
}

VmSelection selection_of(const std::vector<Clone>& clones) {
  VmSelection selection;
  for (const auto& clone : clones) {
    selection.targets.push_back(clone.target);
    selection.names.push_back(clone.target.name);
  }
  return selection;
}

int show(const VerbCommand& command, const Plan& plan, UnitRun& run, const VmSelection& selection) {
  const auto work = [&](std::size_t number) {
    json planned = plan.clones[number].plan();
    if (!command.program.json()) command.program.console.out(plan_line(plan, selection.targets[number], planned));
    return shown(plan, std::move(planned));
  };
  return run_on_machines(command.program, run, selection, {.run = work});
}

}  // namespace

int clone_create(const VerbCommand& command) {
  const auto request = clone_request_of(command);
  const auto uris = named_hypervisors(command.program);
  Plan plan;
  add_plan_of(command, uris.front(), request, plan);
  tell_left_out(command, plan.clones);
  const auto selection = selection_of(plan.clones);
  UnitRun run(command.program, selection.names, kMachines);
  if (command.program.settings.flag("dry-run")) return show(command, plan, run, selection);
  const auto work = [&](std::size_t number) {
    json result = make(command, plan, plan.clones[number]);
    if (!command.program.json()) command.program.console.out(made_line(plan, plan.clones[number], result));
    return result;
  };
  return run_on_machines(command.program, run, selection, {.run = work});
}

}  // namespace muster::cli
