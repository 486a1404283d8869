// muster vm list, info, xml: what is there.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/exit_status.h"
#include "cli/hypervisor_listing.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"
#include "cli/terminal_text.h"
#include "cli/text_table.h"
#include "cli/unit_run.h"
#include "cli/vm_commands.h"
#include "cli/vm_run.h"
#include "cli/vm_wanted.h"

namespace muster::cli {
namespace {

using nlohmann::json;

std::string first_address(const json& machine) {
  std::string text;
  for (const auto& address : machine.value("addresses", json::array()))
    text += (text.empty() ? "" : ",") + address.value("address", "");
  return text;
}

// `1.2G/20G`: what the disks take, and what the guest sees.
std::string disk_text(const json& machine) {
  std::uint64_t capacity = 0, allocation = 0;
  for (const auto& disk : machine.value("disks", json::array())) {
    if (disk.value("capacity_bytes", json()).is_number()) capacity += disk["capacity_bytes"].get<std::uint64_t>();
    if (disk.value("allocation_bytes", json()).is_number()) allocation += disk["allocation_bytes"].get<std::uint64_t>();
  }
  return capacity == 0 ? "-" : size_text(allocation) + "/" + size_text(capacity);
}

void print(const Program& program, const HypervisorListing<json>& listing) {
  if (program.settings.flag("names") && !program.json()) {
    for (const auto& machines : listing.found())
      for (const auto& machine : machines) program.console.out(name_of(machine) + "\n");
    return;
  }
  if (program.json()) {
    for (const auto& machines : listing.found())
      for (const auto& machine : machines) program.console.out(json_line("result", machine));
    return;
  }
  const bool many = listing.found().size() > 1;
  TextTable table({"NAME", "STATE", "CPUS", "MEMORY", "DISK", "ADDRESS"});
  if (many) table.add_column("HYPERVISOR");
  for (const auto& machines : listing.found())
    for (const auto& machine : machines) {
      const std::string memory = size_text(machine.value("memory_bytes", std::uint64_t{0}));
      std::vector<std::string> row{
          name_of(machine), machine.value("state", ""), std::to_string(machine.value("cpus", 0)),
          memory,           disk_text(machine),         first_address(machine)};
      if (many) row.push_back(machine.value("uri", ""));
      table.add_row(std::move(row));
    }
  program.console.out(table.text());
}

// What the operation `names` answers, as `list` would.
json as_machines(const json& answer) {
  auto names = answer.at("names").get<std::vector<std::string>>();
  std::sort(names.begin(), names.end());
  json machines = json::array();
  for (const auto& name : names) machines.push_back({{"name", name}});
  return {{"machines", std::move(machines)}};
}

void add_line(std::string& text, const char* label, const std::string& value) {
  if (!value.empty()) text += fmt::format("  {:<12} {}\n", label, visible(value));
}

std::string yes_no(bool yes) { return yes ? "yes" : "no"; }

std::string info_text(const VmTarget& target, const json& machine) {
  std::string text = fmt::format("{}\n", target.name);
  const auto field = [&](const char* name) { return machine.value(name, ""); };
  const std::string reason = field("reason");
  add_line(text, "state", field("state") + (reason.empty() ? "" : " (" + reason + ")"));
  add_line(text, "hypervisor", target.uri + " (" + field("hypervisor") + ")");
  if (target.domain != target.name) add_line(text, "domain", target.domain);
  add_line(text, "uuid", field("uuid"));
  add_line(text, "machine", field("machine"));
  add_line(text, "firmware", field("firmware"));
  add_line(text, "nvram", field("nvram"));
  add_line(text, "cpus", fmt::format("{} of {}", machine.value("cpus", 0), machine.value("max_cpus", 0)));
  add_line(text, "memory",
           size_text(machine.value("memory_bytes", std::uint64_t{0})) + " of " +
               size_text(machine.value("max_memory_bytes", std::uint64_t{0})));
  add_line(text, "autostart", yes_no(machine.value("autostart", false)));
  add_line(text, "agent", machine.value("agent", false) ? "connected" : "");
  for (const auto& disk : machine.value("disks", json::array())) {
    const auto bytes = [&](const char* name) {
      return disk.value(name, json()).is_number() ? size_text(disk[name].get<std::uint64_t>()) : std::string("?");
    };
    const std::string source = disk.value("source", "");
    add_line(text, "disk",
             fmt::format("{} {} {}: {}", disk.value("target", ""), disk.value("device", ""), disk.value("format", ""),
                         source.empty() ? "empty"
                                        : fmt::format("{} ({} of {})", source, bytes("allocation_bytes"),
                                                      bytes("capacity_bytes"))));
  }
  for (const auto& nic : machine.value("interfaces", json::array()))
    add_line(text, "interface",
             fmt::format("{} {} {} {}", nic.value("mac", ""), nic.value("kind", ""), nic.value("source", ""),
                         nic.value("model", "")));
  for (const auto& address : machine.value("addresses", json::array()))
    add_line(text, "address", fmt::format("{}/{}", address.value("address", ""), address.value("prefix", 0)));
  for (const auto& snapshot : machine.value("snapshot_names", json::array()))
    add_line(text, "snapshot", snapshot.get<std::string>());
  return text;
}

}  // namespace

int vm_list(const VerbCommand& command) {
  const Program& program = command.program;
  const WantedMachines wanted(command, WantedMachines::Names::domains);
  const HostNames& uris = wanted.hypervisors();
  const bool names_alone = program.settings.flag("names");
  HypervisorListing<json> listing(uris.size());
  const auto task = [&](std::size_t number, ssh::OutputSink&) {
    return report_of([&] {
      const json answer =
          command.workers.call(uris[number], names_alone ? "names" : "list", json::object(), kUsualPatience);
      listing.put(number, wanted.among(names_alone ? as_machines(answer) : answer, uris[number]));
    });
  };
  UnitRun run(program, uris, kHypervisors);
  return run.execute(task, nullptr, [&] { print(program, listing); });
}

int vm_info(const VerbCommand& command) {
  const auto selection = select_machines(command.program, command.workers, command.only_word(), Purpose::look);
  return run_on_machines(command.program, command.workers, selection,
                         {.name = "info", .arguments = {}, .patience = kUsualPatience, .line = info_text});
}

int vm_xml(const VerbCommand& command) {
  const auto selection = select_machines(command.program, command.workers, command.only_word(), Purpose::look);
  const bool definition = command.program.settings.flag("definition");
  return run_on_machines(command.program, command.workers, selection,
                         {.name = "xml",
                          .arguments =
                              [definition](const VmTarget&) {
                                return json{{"definition", definition}};
                              },
                          .patience = kUsualPatience,
                          .line = [](const VmTarget&, const json& result) { return result.value("xml", ""); }});
}

}  // namespace muster::cli
