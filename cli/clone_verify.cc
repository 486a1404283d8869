// muster clone verify: each machine asked over SSH who it is, under the host key that its hypervisor vouches for.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/clone_commands.h"
#include "cli/clone_proof.h"
#include "cli/host_logins.h"
#include "cli/machine_source.h"
#include "cli/vm_run.h"
#include "inventory/connection.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

class Verification {
 public:
  Verification(const VerbCommand& command, const VmSelection& selection)
      : command_(command), selection_(selection), logins_(command.program) {
    if (uses_inventory(command.program.settings)) inventory_.emplace(load_inventory(command.program));
  }

  json run(std::size_t number) {
    const VmTarget& target = selection_.targets[number];
    const json heard = command_.workers.call(target.uri, "host_keys", {{"domain", target.domain}}, kHostKeyPatience);
    const auto facts = facts_of(target, heard);
    // One try: it should be up.
    const auto portrait = proved(
        logins_, facts, base::Clock::now(),
        {.name = target.domain, .disk_bytes = heard.at("disk_bytes").get<std::vector<std::uint64_t>>()}, only_ones_);
    only_ones_.take("host name", portrait.host_name, target.name);
    drop_secret_seed(command_.workers, target, heard);
    return {{"host_name", portrait.host_name},
            {"machine_id", portrait.machine_id},
            {"address", facts.address.value_or("")},
            {"host_keys", facts.host_keys},
            {"heard_by", heard.at("heard_by")}};
  }

 private:
  // The key that the hypervisor vouches for goes before that of the inventory, and has to be the same.
  inventory::ConnectionFacts facts_of(const VmTarget& target, const json& heard) const {
    inventory::ConnectionFacts facts;
    facts.name = target.name;
    if (inventory_) facts = inventory::connection_facts(*inventory_, target.name);
    const auto keys = heard.at("host_keys").get<std::vector<std::string>>();
    for (const auto& pinned : facts.host_keys)
      if (!is_among(pinned, keys))
        throw Error(Code::corrupt, "the inventory has another host key for it than its hypervisor tells (" + pinned +
                                       "): muster key scan writes down the right one");
    facts.host_keys = keys;
    if (!facts.address && !heard.at("addresses").empty()) facts.address = heard["addresses"].front().get<std::string>();
    if (!facts.address) throw Error(Code::unreachable, "nobody on " + target.uri + " knows its address");
    return facts;
  }

  static bool is_among(const std::string& pinned, const std::vector<std::string>& keys) {
    const auto key = ssh::parse_host_key(pinned);
    for (const auto& line : keys)
      if (ssh::parse_host_key(line).fingerprint == key.fingerprint) return true;
    return false;
  }

  const VerbCommand& command_;
  const VmSelection& selection_;
  std::optional<inventory::Inventory> inventory_;
  HostLogins logins_;
  OnlyOnes only_ones_;
};

}  // namespace

int clone_verify(const VerbCommand& command) {
  const auto selection = select_machines(command.program, command.workers, command.only_word(), Purpose::look);
  Verification verification(command, selection);
  UnitRun run(command.program, selection.names, kMachines);
  const auto work = [&](std::size_t number) {
    json result = verification.run(number);
    if (!command.program.json())
      command.program.console.out(fmt::format("{}: verified at {}, by {}\n", selection.names[number],
                                              result.value("address", ""), result.value("heard_by", "")));
    return result;
  };
  return run_on_machines(command.program, run, selection, {.run = work});
}

}  // namespace muster::cli
