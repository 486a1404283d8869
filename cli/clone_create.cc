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

// One machine of the run, and what its hypervisor plans for it.
struct Clone {
  VmTarget target;
  json plan;
};

std::vector<Clone> planned_on(const VerbCommand& command, const std::string& uri, const clone::CloneRequest& request) {
  json answer = command.workers.call(
      uri, "clone_plan",
      {{"request", clone::to_json(request)}, {"take_over", command.program.settings.flag("yes")}}, kPlanPatience);
  std::vector<Clone> clones;
  for (auto& plan : answer.at("clones")) {
    const std::string name = plan.at("name");
    plan["master"] = answer.at("master");
    plan["generation"] = answer.at("generation");
    clones.push_back({.target = {.name = name, .uri = uri, .domain = name}, .plan = std::move(plan)});
  }
  return clones;
}

// The same for all of them, mostly: once.
void tell_left_out(const VerbCommand& command, const std::vector<Clone>& clones) {
  std::map<std::string, std::size_t> counts;
  for (const auto& clone : clones)
    for (const auto& what : clone.plan.at("left_out")) ++counts[what.get<std::string>()];
  for (const auto& [what, count] : counts)
    command.program.ctx.note(fmt::format("{} of {} clones: left out {}", count, clones.size(), what));
}

std::string plan_text(const Clone& clone) {
  const std::string plan = clone.plan.value("plan", "");
  std::string text = fmt::format("{}: {}", clone.target.name, plan);
  if (plan == "unchanged") return text + " on " + clone.target.uri + "\n";
  text += fmt::format(", {} to {}@{}, on {}\n", clone.plan.value("kind", ""), clone.plan.value("master", ""),
                      clone.plan.value("generation", 0), clone.target.uri);
  for (const auto& volume : clone.plan.at("making").at("volumes"))
    text += fmt::format("  volume {} of pool {}\n", volume.value("name", ""), volume.value("pool", ""));
  for (const auto& mac : clone.plan.at("macs")) text += fmt::format("  interface {}\n", mac.get<std::string>());
  return text;
}

// What users may read of a plan: not the seed, which may hold secrets of theirs.
json shown(const json& plan) {
  json fields = plan;
  if (!plan.contains("making")) return fields;
  fields["uuid"] = plan["making"].at("uuid");
  fields["xml"] = plan["making"].at("definition");
  fields.erase("making");
  return fields;
}

json make(const VerbCommand& command, const Clone& clone) {
  json fields = {{"master", clone.plan.at("master")},
                 {"generation", clone.plan.at("generation")},
                 {"kind", clone.plan.at("kind")}};
  const bool there = clone.plan.at("plan") == "unchanged";
  fields.update({{"made", !there}, {"changed", !there}});
  if (there) return fields;
  fields["macs"] = clone.plan.at("macs");
  fields.update(command.workers.call(
      clone.target.uri, "clone_make",
      {{"making", clone.plan.at("making")}, {"take_over", command.program.settings.flag("yes")}}, kMakePatience));
  return fields;
}

std::string made_line(const Clone& clone, const json& result) {
  if (!result.value("made", false)) return fmt::format("{}: unchanged\n", clone.target.name);
  return fmt::format("{}: made, {} to {}@{}\n", clone.target.name, result.value("kind", ""),
                     result.value("master", ""), result.value("generation", 0));
}

VmSelection selection_of(const std::vector<Clone>& clones) {
  VmSelection selection;
  for (const auto& clone : clones) {
    selection.targets.push_back(clone.target);
    selection.names.push_back(clone.target.name);
  }
  return selection;
}

int show(const VerbCommand& command, const std::vector<Clone>& clones, UnitRun& run, const VmSelection& selection) {
  const auto work = [&](std::size_t number) {
    if (!command.program.json()) command.program.console.out(plan_text(clones[number]));
    return shown(clones[number].plan);
  };
  return run_on_machines(command.program, run, selection, {.run = work});
}

}  // namespace

int clone_create(const VerbCommand& command) {
  const auto request = clone_request_of(command);
  const auto uris = named_hypervisors(command.program);
  const auto clones = planned_on(command, uris.front(), request);
  tell_left_out(command, clones);
  const auto selection = selection_of(clones);
  UnitRun run(command.program, selection.names, kMachines);
  if (command.program.settings.flag("dry-run")) return show(command, clones, run, selection);
  const auto work = [&](std::size_t number) {
    json result = make(command, clones[number]);
    if (!command.program.json()) command.program.console.out(made_line(clones[number], result));
    return result;
  };
  return run_on_machines(command.program, run, selection, {.run = work});
}

}  // namespace muster::cli
