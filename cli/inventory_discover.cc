#include "cli/inventory_discover.h"

#include <mutex>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/discovered_inventory.h"
#include "cli/json_lines.h"
#include "cli/machine_source.h"
#include "cli/unit_run.h"
#include "cli/vm_run.h"
#include "cli/vm_selection.h"

namespace muster::cli {
namespace {

using base::Error;
using nlohmann::json;

// The machines of all hypervisors, in the order of the hypervisors.
class Found {
 public:
  explicit Found(std::size_t hypervisors) : machines_(hypervisors) {}

  void put(std::size_t hypervisor, const std::string& uri, const json& answer) {
    auto machines = discovered_machines(uri, answer);
    const std::lock_guard lock(mutex_);
    machines_[hypervisor] = std::move(machines);
  }
  std::vector<DiscoveredMachine> all() const {
    std::vector<DiscoveredMachine> all;
    for (const auto& machines : machines_) all.insert(all.end(), machines.begin(), machines.end());
    name_hosts(all);
    return all;
  }

 private:
  std::mutex mutex_;
  std::vector<std::vector<DiscoveredMachine>> machines_;
};

void print(const Program& program, const std::vector<DiscoveredMachine>& machines) {
  if (!program.json()) return program.console.out(inventory_yaml(machines));
  for (const auto& machine : machines)
    program.console.out(json_line(
        "result",
        {{"host", machine.host}, {"uri", machine.uri}, {"domain", machine.domain}, {"address", machine.address}}));
}

}  // namespace

int discover_inventory(const Program& program, const std::vector<std::string>& words) {
  HypervisorWorkers workers(program.ctx, connect_patience(program.settings));
  const HostNames uris = words.empty() ? all_hypervisors(program) : words;
  Found found(uris.size());
  const auto task = [&](std::size_t number, ssh::OutputSink&) {
    return report_of(
        [&] { found.put(number, uris[number], workers.call(uris[number], "list", json::object(), kUsualPatience)); });
  };
  return UnitRun(program, uris, kHypervisors).execute(task, nullptr, [&] { print(program, found.all()); });
}

}  // namespace muster::cli
