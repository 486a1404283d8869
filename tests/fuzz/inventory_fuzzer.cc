// An inventory either loads, and then every query on it ends, or is a usage error; with problems collected it always
// loads.
#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "inventory/ansible_json.h"
#include "inventory/connection.h"
#include "inventory/inventory.h"

namespace {

using namespace muster;

constexpr std::size_t kHostsAsked = 200;

void check_host(const inventory::Inventory& fleet, inventory::HostIndex host) {
  for (const auto& [name, variable] : fleet.variables(host)) {
    const auto settings = fleet.explain(host, name);
    const auto winner = fleet.variable(host, name);
    if (settings.empty() || !winner || settings.back().value != winner->value || winner->value != variable.value)
      throw std::logic_error("the queries disagree about " + name);
  }
  fleet.group_names(host);
  try {
    inventory::connection_facts(fleet, host);
  } catch (const base::Error& error) {
    if (error.code() != base::Code::usage) throw;
  }
}

void check(const inventory::Inventory& fleet) {
  if (fleet.hosts_of(0).size() != fleet.host_count()) throw std::logic_error("a host that is not in all");
  const auto asked = static_cast<inventory::HostIndex>(std::min(kHostsAsked, fleet.host_count()));
  for (inventory::HostIndex host = 0; host < asked; ++host) check_host(fleet, host);
  if (fleet.host_count() <= kHostsAsked) inventory::ansible_json(fleet);
}

void load(std::string_view text, inventory::Dialect dialect, std::vector<std::string>* problems) {
  try {
    check(inventory::load_text(base::Context(), text, "i", {.dialect = dialect, .all_problems = problems}));
  } catch (const base::Error& error) {
    if (error.code() != base::Code::usage) throw;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  std::vector<std::string> problems;
  load(text, inventory::Dialect::muster, nullptr);
  load(text, inventory::Dialect::muster, &problems);
  load(text, inventory::Dialect::ansible_strict, nullptr);
  return 0;
}
