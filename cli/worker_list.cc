// Operations of a worker that only look.
#include <array>
#include <set>

#include <nlohmann/json.hpp>

#include "cli/machine_json.h"
#include "cli/worker_operations.h"
#include "virt/capabilities.h"
#include "vm/machine_facts.h"
#include "vm/tombstone.h"

namespace muster::cli {
namespace {

using nlohmann::json;

json names(const WorkerCall& call) {
  json list = json::array(), trash_names = json::array();
  std::set<std::string> trashed;
  for (const auto& domain : call.connection.domains()) {
    const auto name = vm::name_in_trash(domain);
    if (name) trashed.insert(*name);
    (name ? trash_names : list).push_back(domain.name());
  }
  return {{"names", std::move(list)}, {"trashed", trashed}, {"trash_names", std::move(trash_names)}};
}

json list(const WorkerCall& call) {
  json machines = json::array();
  for (const auto& machine : vm::list_machines(call.ctx, call.connection)) machines.push_back(to_json(machine));
  return {{"machines", std::move(machines)}};
}

json info(const WorkerCall& call) { return to_json(vm::describe(call.any_domain())); }

json xml(const WorkerCall& call) {
  const bool definition = call.arguments.value("definition", false);
  return {{"xml", call.any_domain().xml(definition ? virt::Domain::Xml::definition : virt::Domain::Xml::current)}};
}

json capabilities_of(const WorkerCall& call) {
  const auto domains = call.connection.domains();
  const auto probe = domains.empty() ? std::nullopt : std::optional(domains.front());
  json answers = json::array();
  for (const auto& capability : virt::capabilities(call.connection, probe))
    answers.push_back(
        {{"capability", capability.name}, {"answer", virt::name_of(capability.answer)}, {"detail", capability.detail}});
  return {{"driver", call.connection.driver()}, {"capabilities", std::move(answers)}};
}

constexpr std::array kListOperations{WorkerOperation{"names", names}, WorkerOperation{"list", list},
                                     WorkerOperation{"info", info}, WorkerOperation{"xml", xml},
                                     WorkerOperation{"capabilities", capabilities_of}};

}  // namespace

std::span<const WorkerOperation> list_operations() { return kListOperations; }

}  // namespace muster::cli
