#include "cli/fleet_selection.h"

#include <fmt/format.h>

#include "base/error.h"
#include "cli/connect_options.h"
#include "parallel-ssh/host_key.h"

namespace muster::cli {

using base::Code;
using base::Error;

inventory::Selection select_hosts(const Program& program, const inventory::Inventory& inventory,
                                  const std::string& pattern) {
  return inventory::select(program.ctx, inventory, pattern,
                           fmt::format("{}", fmt::join(program.settings.list("limit"), ",")));
}

void check_host_keys(const inventory::Inventory& inventory, inventory::HostIndex host) {
  try {
    for (const auto& key : inventory::connection_facts(inventory, host).host_keys) ssh::parse_host_key(key);
  } catch (const Error& e) {
    const auto variable = inventory.variable(host, "host_key");
    if (!variable || e.code() != Code::usage || std::string_view(e.what()).starts_with(*variable->file)) throw;
    throw Error(Code::usage, yaml::located(*variable->file, variable->value->at, e.what()));
  }
}

FleetSelection::FleetSelection(const Program& program, const std::string& pattern, Unnamed unnamed)
    : inventory_(load_inventory(program, unnamed)),
      selection_(select_hosts(program, inventory_, pattern)),
      config_(load_ssh_config(program)),
      resolution_(connect_options(program), config_, [this](const std::string& name) {
        const auto host = inventory_.find_host(name);
        return host ? std::optional(inventory::connection_facts(inventory_, *host)) : std::nullopt;
      }) {
  for (const auto host : selection_.hosts) names_.push_back(inventory_.host_name(host));
  if (selection_.implicit_localhost) names_.emplace_back("localhost");
  if (const auto expected = program.settings.integer("expect", 0, 1'000'000'000);
      expected && static_cast<std::size_t>(*expected) != size())
    throw Error(Code::refused,
                fmt::format("{} hosts match, not the {} of --expect; nothing was started", size(), *expected));
  // Every mistake in the variables is found before anything starts; targets are made again when their turn comes, so
  // that memory does not follow the fleet.
  for (const auto host : selection_.hosts) check_host_keys(inventory_, host);
  for (std::size_t host = 0; host < size(); ++host) target(host);
}

inventory::ConnectionFacts FleetSelection::facts(std::size_t host) const {
  if (host < selection_.hosts.size()) return inventory::connection_facts(inventory_, selection_.hosts[host]);
  inventory::ConnectionFacts localhost;
  localhost.name = "localhost";
  return localhost;
}

ssh::Target FleetSelection::target(std::size_t host) const { return resolution_.resolve(facts(host)); }

}  // namespace muster::cli
