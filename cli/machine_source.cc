#include "cli/machine_source.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/error.h"
#include "cli/discovered_inventory.h"
#include "cli/environment.h"
#include "cli/hypervisor_workers.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr const char* kNoInventory =
    "no inventory: name one with -i or MUSTER_INVENTORY, or write ./inventory.yaml (muster-inventory(5) shows how), or "
    "take the domains of a hypervisor with -c URI";

inventory::Inventory domains_of(const Program& program, const std::string& uri) {
  HypervisorWorkers workers(program.ctx, connect_patience(program.settings));
  auto machines =
      discovered_machines(uri, workers.call(uri, "list", nlohmann::json::object(), connect_patience(program.settings)));
  name_hosts(machines);
  return inventory::load_text(program.ctx, inventory_yaml(machines), uri,
                              {.dialect = dialect_of(program), .all_problems = nullptr});
}

}  // namespace

std::vector<std::string> found_inventory_sources(const Settings& settings) {
  if (auto named = settings.list("inventory"); !named.empty()) return named;
  for (const auto& file : {std::string("./inventory.yaml"), config_directory() + "/inventory.yaml",
                           std::string("/etc/muster/inventory.yaml")})
    if (::access(file.c_str(), F_OK) == 0) return {file};
  return {};
}

std::vector<std::string> inventory_sources(const Settings& settings) {
  if (auto found = found_inventory_sources(settings); !found.empty()) return found;
  throw Error(Code::usage, kNoInventory);
}

inventory::Dialect dialect_of(const Program& program) {
  return program.settings.flag("ansible-strict") ? inventory::Dialect::ansible_strict : inventory::Dialect::muster;
}

bool uses_inventory(const Settings& settings) {
  if (settings.given("inventory")) return settings.source("inventory") >= settings.source("connection");
  return !settings.given("connection") && !found_inventory_sources(settings).empty();
}

std::string connection_uri(const Settings& settings) {
  if (const auto named = settings.text("connection")) return *named;
  if (const auto usual = environment("LIBVIRT_DEFAULT_URI")) return *usual;
  return ::geteuid() == 0 ? "qemu:///system" : "qemu:///session";
}

std::chrono::milliseconds connect_patience(const Settings& settings) {
  return settings.duration("connect-timeout").value_or(std::chrono::seconds(10));
}

inventory::Inventory load_inventory(const Program& program, Unnamed unnamed) {
  const Settings& settings = program.settings;
  if (uses_inventory(settings))
    return inventory::load(program.ctx, found_inventory_sources(settings),
                           {.dialect = dialect_of(program), .all_problems = nullptr});
  const std::string uri = connection_uri(settings);
  if (settings.given("connection")) return domains_of(program, uri);
  if (unnamed == Unnamed::refused) throw Error(Code::usage, kNoInventory);
  try {
    return domains_of(program, uri);
  } catch (const Error& e) {
    if (e.code() == Code::cancelled) throw;
    throw Error(Code::usage, std::string(kNoInventory) + "; the domains of this machine would be another: " + e.what());
  }
}

}  // namespace muster::cli
