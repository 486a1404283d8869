// Operations of a worker for machines that run from a repository, and are moved out of it while they run.
#include <array>

#include <nlohmann/json.hpp>

#include "cli/worker_operations.h"
#include "virt/lifecycle.h"
#include "vm/served_machine.h"

namespace muster::cli {
namespace {

using nlohmann::json;

json fields_of(const vm::ServedMachine& machine) {
  json disks = json::array();
  for (const auto& disk : machine.disks) {
    json fields{{"target", disk.target}, {"path", disk.path}, {"moved", disk.moved}};
    if (disk.pull) fields.update({{"done", disk.pull->done}, {"total", disk.pull->total}});
    disks.push_back(std::move(fields));
  }
  return {{"repository", machine.from.repository},
          {"point", machine.from.point},
          {"place", machine.from.place},
          {"pinned", machine.from.pinned_for_this},
          {"begun", machine.begun},
          {"state", virt::name_of(machine.state)},
          {"reason", machine.reason},
          {"moved", machine.moved()},
          {"disks", std::move(disks)}};
}

// Whether there is a machine of that name, and whether it is one of these.
json look(const WorkerCall& call) {
  const auto domain = call.connection.find_domain(call.arguments.at("name"));
  if (!domain) return {{"there", false}};
  json result{{"there", true}, {"uuid", domain->uuid()}};
  if (const auto served = vm::look_at_served(*domain)) result["served"] = fields_of(*served);
  return result;
}

json run(const WorkerCall& call) {
  vm::run_served(call.domain());
  return json::object();
}

json move(const WorkerCall& call) {
  return fields_of(vm::move_on(call.ctx, call.domain(), call.arguments.at("bytes_per_second")));
}

json hold(const WorkerCall& call) {
  vm::hold_served(call.domain());
  return json::object();
}

json settle(const WorkerCall& call) {
  const auto domain = call.domain();
  vm::settle_served(call.connection, domain);
  return {{"state", virt::name_of(domain.state())}};
}

// One that has never run: its definition.
json undo(const WorkerCall& call) {
  const auto domain = call.domain();
  const auto served = vm::look_at_served(domain);
  const bool never_ran = served && !served->begun && !domain.active();
  if (never_ran) virt::undefine(domain, virt::FirmwareState::removed);
  return {{"undone", never_ran}};
}

constexpr std::array kServedOperations{WorkerOperation{"served_look", look},     WorkerOperation{"served_run", run},
                                       WorkerOperation{"served_move", move},     WorkerOperation{"served_hold", hold},
                                       WorkerOperation{"served_settle", settle}, WorkerOperation{"served_undo", undo}};

}  // namespace

std::span<const WorkerOperation> served_operations() { return kServedOperations; }

}  // namespace muster::cli
