// muster clone create: machines out of a master, planned on their hypervisor and made one by one.
#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/clone_commands.h"
#include "cli/clone_orders.h"
#include "cli/clone_places.h"
#include "cli/clone_ready.h"
#include "cli/environment.h"
#include "cli/generation_text.h"
#include "cli/json_lines.h"
#include "cli/unit_run.h"
#include "cli/vm_run.h"
#include "cli/vm_waiting.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::chrono::minutes kPlanPatience{10};
// Images are copied at the disks' speed.
constexpr std::chrono::hours kMakePatience{4};
constexpr std::chrono::hours kCarryPatience{24};
// Booting is work for the hypervisor; the rest is not.
constexpr int kBootsAtOnce = 8;
constexpr std::chrono::minutes kWaitPatience{2};

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
      uri, "clone_plan", {{"request", clone::to_json(request)}, {"take_over", command.program.settings.flag("yes")}},
      kPlanPatience, take);
}

void carry_master(const VerbCommand& command, const clone::CloneRequest& request, const Placement& placement,
                  const std::string& uri) {
  command.program.ctx.note(fmt::format("the master {}@{} goes from {} to {}", request.master.name, placement.generation,
                                       placement.owners.front(), uri));
  command.workers.call(uri, "master_carry",
                       {{"from", placement.owners.front()},
                        {"master", request.master.name},
                        {"generation", placement.generation},
                        {"pool", request.pool},
                        {"take_over", command.program.settings.flag("yes")}},
                       kCarryPatience);
}

void add_those_there(const VerbCommand& command, const PlacedClones& place, const clone::CloneRequest& request,
                     Plan& plan) {
  std::map<std::string, json> there;
  const json answer = command.workers.call(place.uri, "clone_list", json::object(), kPlanPatience);
  for (const auto& clone : answer.at("clones"))
    if (clone.value("master", "") == request.master.name) there[clone.at("name").get<std::string>()] = clone;
  for (const auto& machine : place.machines) {
    if (!there.contains(machine.name))
      throw Error(Code::refused, "'" + machine.name + "' is there already on " + place.uri + ", and is no clone of '" +
                                     request.master.name + "'");
    json planned = there[machine.name];
    planned.update({{"plan", "unchanged"}, {"macs", json::array()}, {"left_out", json::array()}});
    plan.clones.push_back(
        {.target = {.name = machine.name, .uri = place.uri, .domain = machine.name}, .plan_text = planned.dump()});
  }
}

// On each hypervisor in turn, each knowing the addresses that those before have given away.
Plan plan_all(const VerbCommand& command, clone::CloneRequest request) {
  Plan plan;
  const auto placement = place_clones(command, request);
  request.master.number = placement.generation;
  request.taken_macs = placement.macs;
  for (const auto& place : placement.places) {
    request.machines = place.machines;
    // Of another generation, which may not even have to go there.
    if (!place.has_master && place.all_there) {
      add_those_there(command, place, request, plan);
      continue;
    }
    if (!place.has_master && command.program.settings.flag("dry-run")) {
      for (const auto& machine : place.machines)
        plan.clones.push_back(
            {.target = {.name = machine.name, .uri = place.uri, .domain = machine.name},
             .plan_text = json{{"name", machine.name}, {"plan", "carry the master there, and create"}}.dump()});
      continue;
    }
    if (!place.has_master) carry_master(command, request, placement, place.uri);
    const std::size_t first = plan.clones.size();
    add_plan_of(command, place.uri, request, plan);
    for (std::size_t i = first; i < plan.clones.size(); ++i)
      for (const auto& mac : plan.clones[i].plan().at("macs")) request.taken_macs.insert(mac.get<std::string>());
  }
  plan.master.update({{"master", request.master.name}, {"generation", placement.generation}});
  return plan;
}

// The same for all of them, mostly: once.
void tell_left_out(const VerbCommand& command, const std::vector<Clone>& clones) {
  std::map<std::string, std::size_t> counts;
  for (const auto& clone : clones)
    for (const auto& what : clone.plan().value("left_out", json::array())) ++counts[what.get<std::string>()];
  for (const auto& [what, count] : counts)
    command.program.ctx.note(fmt::format("{} of {} clones: left out {}", count, clones.size(), what));
}

std::string plan_line(const Plan& plan, const VmTarget& target, const json& planned) {
  std::string text = fmt::format("{}: {}", target.name, planned.value("plan", ""));
  if (!planned.contains("making")) return text + " on " + target.uri + "\n";
  text += fmt::format(", {} to {}, on {}\n", planned.value("kind", ""), generation_text(plan.master), target.uri);
  for (const auto& volume : planned["making"].at("volumes"))
    text += fmt::format("  volume {} of pool {}\n", volume.value("name", ""), volume.value("pool", ""));
  for (const auto& mac : planned.at("macs")) text += fmt::format("  interface {}\n", mac.get<std::string>());
  return text;
}

// What users may read of a plan: not the seed, which may hold secrets of theirs.
json shown(const Plan& plan, json planned) {
  planned["master"] = plan.master.at("master");
  planned["outcome"] = "plan";
  if (!planned.contains("making")) return planned;
  planned["uuid"] = planned["making"].at("uuid");
  planned["xml"] = planned["making"].at("definition");
  planned.erase("making");
  planned.erase("identity");
  planned.erase("takes");
  return planned;
}

// Makes it, and has it come as far as the options say.
class CloneWork {
 public:
  CloneWork(const VerbCommand& command, CloneReadying& readying, const Plan& plan, const clone::CloneRequest& request)
      : command_(command), readying_(readying), plan_(plan), wait_(command.program.settings.text("wait")) {
    for (const auto& machine : request.machines)
      if (machine.fixed) fixed_.emplace(machine.name, machine.fixed->host());
  }

  json run(const Clone& clone) {
    const json planned = clone.plan();
    const bool there = !planned.contains("making");
    json fields = plan_.master;
    fields.update({{"kind", planned.at("kind")}, {"made", !there}, {"changed", !there}});
    fields["generation"] = planned.at("generation");
    if (there) fields["uuid"] = planned.at("uuid");
    if (!there) make(clone, planned, fields);
    CloneToReady ready{.target = clone.target,
                       .uuid = there ? planned.value("uuid", "") : planned.at("making").value("uuid", ""),
                       .fixed_address = fixed_address(clone.target.name),
                       .disk_bytes = planned.value("disk_bytes", std::vector<std::uint64_t>{})};
    readying_.enlist(ready);
    come_up(ready, fields);
    return fields;
  }

 private:
  // By many threads at once.
  std::string fixed_address(const std::string& name) const {
    const auto found = fixed_.find(name);
    return found == fixed_.end() ? "" : found->second;
  }

  void make(const Clone& clone, const json& planned, json& fields) {
    fields["macs"] = planned.at("macs");
    fields.update(command_.workers.call(clone.target.uri, "clone_make",
                                        {{"making", planned.at("making")},
                                         {"identity", planned.value("identity", json())},
                                         {"takes", planned.at("takes")},
                                         {"master", plan_.master.at("master")},
                                         {"generation", planned.at("generation")},
                                         {"session_directory", libvirt_directory()},
                                         {"take_over", command_.program.settings.flag("yes")}},
                                        kMakePatience));
  }

  void come_up(const CloneToReady& clone, json& fields) {
    const Settings& settings = command_.program.settings;
    if (wait_ == "ssh") return readying_.make_ready(clone, fields);
    if (!wait_ && !settings.flag("start")) return;
    fields.update(command_.workers.call(clone.target.uri, "start", {{"domain", clone.target.domain}}, kUsualPatience));
    if (!wait_) return;
    const auto patience = settings.duration("timeout").value_or(kWaitPatience);
    fields.update(command_.workers.call(clone.target.uri, "wait",
                                        {{"domain", clone.target.domain},
                                         {"patience_ms", patience.count()},
                                         {"milestone", milestone_for(clone.target, *milestone_of(settings, "wait"))}},
                                        patience + kUsualPatience));
  }

  const VerbCommand& command_;
  CloneReadying& readying_;
  const Plan& plan_;
  const std::optional<std::string> wait_;
  std::map<std::string, std::string> fixed_;
};

std::string made_line(const Plan& plan, const Clone& clone, const json& result) {
  std::string text = fmt::format("{}: ", clone.target.name);
  text += result.value("made", false)
              ? fmt::format("made, {} to {}", result.value("kind", ""), generation_text(plan.master))
              : "there already";
  if (const std::string state = result.value("state", ""); !state.empty() && state != "shut off") text += ", " + state;
  if (const std::string address = result.value("address", ""); !address.empty()) text += ", " + address;
  if (result.value("verified", false)) text += ", verified";
  return text + "\n";
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
  CloneReadying readying(command);
  const auto plan = plan_all(command, request);
  tell_left_out(command, plan.clones);
  const auto selection = selection_of(plan.clones);
  UnitRun run(command.program, selection.names, kMachines);
  if (command.program.settings.flag("dry-run")) return show(command, plan, run, selection);
  if (command.program.settings.given("wait") || command.program.settings.flag("start")) run.usual_fanout(kBootsAtOnce);
  CloneWork clones(command, readying, plan, request);
  const auto work = [&](std::size_t number) {
    json result = clones.run(plan.clones[number]);
    if (!command.program.json()) command.program.console.out(made_line(plan, plan.clones[number], result));
    return result;
  };
  return run_on_machines(command.program, run, selection, {.run = work});
}

}  // namespace muster::cli
