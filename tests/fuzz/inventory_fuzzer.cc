// An inventory either loads, and then every query on it ends, or is a usage error; with problems collected it always
// loads. It takes a host and lets it go, which the second time changes nothing, or is left alone with a usage error.
#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "inventory/ansible_json.h"
#include "inventory/connection.h"
#include "inventory/entries.h"
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

void edit(const std::string& text, inventory::Dialect dialect) {
  const std::vector<inventory::HostEntry> entries{{"web1", "web", {{"address", "192.0.2.1"}, {"x", "@"}}},
                                                  {"new1", "new", {{"host_key", std::vector<std::string>{"a", "b"}}}}};
  try {
    const std::string more = inventory::with_hosts(text, "i", entries, dialect);
    if (inventory::with_hosts(more, "i", entries, dialect) != more) throw std::logic_error("changed the second time");
    const std::string less = inventory::without_hosts(more, "i", {"web1", "new1"}, dialect);
    if (inventory::without_hosts(less, "i", {"web1", "new1"}, dialect) != less)
      throw std::logic_error("removed the second time");
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
  edit(std::string(text), inventory::Dialect::muster);
  edit(std::string(text), inventory::Dialect::ansible_strict);
  return 0;
}
