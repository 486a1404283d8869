#include "cli/usage_table.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/size_text.h"
#include "cli/text_table.h"

namespace muster::cli {
namespace {

using nlohmann::json;
using Amount = std::optional<double>;

Amount number(const json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_number() ? Amount(found->get<double>()) : std::nullopt;
}

// Over all elements of a list; nullopt where none knows.
Amount sum(const json& object, const char* list, const char* field) {
  Amount total;
  const auto found = object.find(list);
  if (found == object.end()) return total;
  for (const auto& element : *found)
    if (const Amount amount = number(element, field)) total = total.value_or(0) + *amount;
  return total;
}

std::string percent_text(const Amount& amount) { return amount ? fmt::format("{:.1f}", *amount) : "-"; }
std::string bytes_text(const Amount& amount) { return amount ? size_text(static_cast<std::uint64_t>(*amount)) : "-"; }

constexpr const char* kDiskRead = "read_bytes_per_second";
constexpr const char* kDiskWritten = "written_bytes_per_second";
constexpr const char* kReceived = "received_bytes_per_second";
constexpr const char* kSent = "sent_bytes_per_second";

double weight(const json& machine, UsageOrder order) {
  switch (order) {
    case UsageOrder::as_given:
      return 0;
    case UsageOrder::cpu:
      return number(machine, "cpu_percent").value_or(-1);
    case UsageOrder::memory:
      return number(machine, "resident_bytes").value_or(number(machine, "memory_bytes").value_or(-1));
    case UsageOrder::disk:
      return sum(machine, "disks", kDiskRead).value_or(-1) + sum(machine, "disks", kDiskWritten).value_or(0);
    case UsageOrder::net:
      return sum(machine, "interfaces", kReceived).value_or(-1) + sum(machine, "interfaces", kSent).value_or(0);
  }
  return 0;
}

// What the guest uses of its memory, if it tells.
Amount used_by_guest(const json& machine) {
  const Amount available = number(machine, "available_bytes");
  const Amount usable = number(machine, "usable_bytes"), unused = number(machine, "unused_bytes");
  const Amount left = usable ? usable : unused;
  if (!available || !left || *left > *available) return std::nullopt;
  return *available - *left;
}

// Of the machines of one hypervisor together.
Amount sum_of_machines(const json& machines, const char* list, const char* field) {
  Amount total;
  for (const auto& machine : machines)
    if (const Amount amount = sum(machine, list, field)) total = total.value_or(0) + *amount;
  return total;
}

}  // namespace

const char* name_of(UsageOrder order) {
  switch (order) {
    case UsageOrder::cpu:
      return "cpu";
    case UsageOrder::memory:
      return "memory";
    case UsageOrder::disk:
      return "disk";
    case UsageOrder::net:
      return "net";
    case UsageOrder::as_given:
      break;
  }
  return "name";
}

UsageOrder usage_order(const Settings& settings, UsageOrder usual) {
  const auto wanted = settings.text("sort");
  if (!wanted) return usual;
  for (const auto order : {UsageOrder::cpu, UsageOrder::memory, UsageOrder::disk, UsageOrder::net})
    if (*wanted == name_of(order)) return order;
  settings.reject("sort", "'" + *wanted + "': write cpu, memory, disk or net");
}

std::string machine_usage_table(std::vector<json> machines, UsageOrder order) {
  std::stable_sort(machines.begin(), machines.end(),
                   [&](const json& a, const json& b) { return weight(a, order) > weight(b, order); });
  std::set<std::string> uris;
  for (const auto& machine : machines) uris.insert(machine.value("uri", ""));
  TextTable table({"NAME", "STATE", "CPU%", "OF ALL", "STEAL%", "MEMORY", "RESIDENT", "GUEST", "READ/s", "WRITE/s",
                   "IN/s", "OUT/s"});
  if (uris.size() > 1) table.add_column("HYPERVISOR");
  for (const auto& machine : machines) {
    std::vector<std::string> row{machine.value("host", machine.value("name", "")),
                                 machine.value("state", "") + (machine.value("stale", false) ? " (no answer)" : ""),
                                 percent_text(number(machine, "cpu_percent")),
                                 percent_text(number(machine, "cpu_share_percent")),
                                 percent_text(number(machine, "steal_percent")),
                                 bytes_text(number(machine, "memory_bytes")),
                                 bytes_text(number(machine, "resident_bytes")),
                                 bytes_text(used_by_guest(machine)),
                                 bytes_text(sum(machine, "disks", kDiskRead)),
                                 bytes_text(sum(machine, "disks", kDiskWritten)),
                                 bytes_text(sum(machine, "interfaces", kReceived)),
                                 bytes_text(sum(machine, "interfaces", kSent))};
    if (uris.size() > 1) row.push_back(machine.value("uri", ""));
    table.add_row(std::move(row));
  }
  return table.text();
}

std::string hypervisor_usage_table(const std::vector<json>& hypervisors) {
  TextTable table({"HYPERVISOR", "HOST", "CPUS", "CPU%", "MEMORY", "FREE", "READ/s", "WRITE/s", "IN/s", "OUT/s"});
  for (const auto& hypervisor : hypervisors) {
    const json node = hypervisor.value("node", json::object());
    const json machines = hypervisor.value("machines", json::array());
    const bool silent = hypervisor.contains("error");
    table.add_row({hypervisor.value("uri", ""), silent ? "no answer" : node.value("host_name", ""),
                   !silent && node.contains("cpus") ? std::to_string(node.value("cpus", 0)) : "-",
                   percent_text(number(node, "cpu_percent")), bytes_text(number(node, "memory_bytes")),
                   bytes_text(number(node, "free_memory_bytes")),
                   bytes_text(sum_of_machines(machines, "disks", kDiskRead)),
                   bytes_text(sum_of_machines(machines, "disks", kDiskWritten)),
                   bytes_text(sum_of_machines(machines, "interfaces", kReceived)),
                   bytes_text(sum_of_machines(machines, "interfaces", kSent))});
  }
  return table.text();
}

}  // namespace muster::cli
