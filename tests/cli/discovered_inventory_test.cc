#include "cli/discovered_inventory.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "inventory/connection.h"
#include "inventory/inventory.h"

namespace muster::cli {
namespace {

std::vector<DiscoveredMachine> named(std::vector<DiscoveredMachine> machines) {
  name_hosts(machines);
  return machines;
}

// As muster reads it.
inventory::Inventory loaded(const std::string& yaml, inventory::Dialect dialect) {
  const std::string file = testing::TempDir() + "/discovered-" + std::to_string(::getpid()) + ".yaml";
  base::replace_file(file, yaml);
  auto found = inventory::load({}, {file}, {.dialect = dialect});
  std::filesystem::remove(file);
  return found;
}

TEST(DiscoveredInventory, CanBeReadAgainWhateverDomainsAreCalled) {
  const auto machines = named({{.uri = "qemu:///system", .domain = "web01", .address = "192.168.122.3"},
                               {.uri = "qemu+ssh://a/system?x=\"1\"", .domain = "web[1:3]", .address = ""},
                               {.uri = "u", .domain = "b\xc3\xa4r: {{ x }}", .address = "fe80::1"},
                               {.uri = "u", .domain = "all", .address = ""},
                               {.uri = "u", .domain = "-x", .address = ""},
                               {.uri = "u", .domain = "1e3", .address = ""},
                               {.uri = "u", .domain = "yes", .address = ""},
                               {.uri = "u", .domain = "a\nb", .address = ""}});
  const auto inventory = loaded(inventory_yaml(machines), inventory::Dialect::muster);
  ASSERT_EQ(inventory.host_count(), machines.size());
  for (inventory::HostIndex host = 0; host < inventory.host_count(); ++host) {
    const auto facts = inventory::connection_facts(inventory, host);
    EXPECT_EQ(facts.name, machines[host].host);
    EXPECT_EQ(facts.hypervisor, machines[host].uri);
    EXPECT_EQ(facts.domain.value_or(facts.name), machines[host].domain);
    EXPECT_EQ(facts.address.value_or(""), machines[host].address);
  }
}

TEST(DiscoveredInventory, MachinesOfTheSameNameAreToldApart) {
  const auto machines = named({{.uri = "a", .domain = "web"},
                               {.uri = "b", .domain = "web"},
                               {.uri = "c", .domain = "web-2"},
                               {.uri = "d", .domain = "web"}});
  EXPECT_EQ(machines[0].host, "web");
  EXPECT_EQ(machines[1].host, "web-2");
  EXPECT_EQ(machines[2].host, "web-2-2");
  EXPECT_EQ(machines[3].host, "web-3");
}

TEST(DiscoveredInventory, OfNothingIsOne) {
  EXPECT_EQ(loaded(inventory_yaml({}), inventory::Dialect::muster).host_count(), 0U);
}

}  // namespace
}  // namespace muster::cli
