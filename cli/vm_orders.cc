#include "cli/vm_orders.h"

#include <array>

#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"
#include "vm/machines_file.h"
#include "vm/seed_files.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

// Options that say what the machine is, which a file says by itself.
constexpr auto kDescribing =
    std::to_array<std::string_view>({"disk", "iso", "cpus", "memory", "firmware", "network", "hostname", "ssh-key",
                                     "user-data", "network-config", "start", "autostart"});

vm::MachineRequest request_of(const Settings& settings, const std::string& name) {
  vm::MachineRequest request;
  request.name = name;
  if (const auto cpus = settings.integer("cpus", 1, vm::MachineRequest::kMaxCpus))
    request.cpus = static_cast<unsigned>(*cpus);
  if (const auto memory = settings.text("memory")) request.memory_bytes = base::parse_size(*memory);
  if (const auto firmware = settings.text("firmware")) request.firmware = vm::parse_firmware(*firmware);
  for (const auto& disk : settings.list("disk")) request.disks.push_back(vm::parse_disk(disk));
  for (const auto& network : settings.list("network")) request.networks.push_back(vm::parse_network(network));
  request.iso = settings.text("iso").value_or("");
  request.autostart = settings.flag("autostart");
  request.seed = vm::read_seed({.host_name = settings.text("hostname").value_or(""),
                                .public_keys = settings.list("ssh-key"),
                                .user_data = settings.text("user-data").value_or(""),
                                .network_config = settings.text("network-config").value_or("")});
  vm::check(request);
  return request;
}

Orders orders_of_options(const VerbCommand& command) {
  const Settings& settings = command.program.settings;
  Orders orders;
  if (command.words.size() != 1) throw Error(Code::usage, "write muster vm create VM, or muster vm create --file FILE");
  const VmTarget target = machine_to_be(command.program, command.words.front());
  orders.add(target, {.request = request_of(settings, target.domain), .start = settings.flag("start")});
  return orders;
}

Orders orders_of_file(const VerbCommand& command, const std::string& file) {
  const Settings& settings = command.program.settings;
  for (const auto option : kDescribing)
    if (settings.given(option)) settings.reject(option, "machines of a file are described there");
  if (!command.words.empty()) throw Error(Code::usage, "names are written in the file: leave out " + command.words[0]);
  Orders orders;
  orders.apply = true;
  for (auto& machine : vm::read_machines(file)) {
    const std::string name = machine.request.name;
    const VmTarget target = machine.connection.empty()
                                ? machine_to_be(command.program, name)
                                : VmTarget{.name = name, .uri = machine.connection, .domain = name};
    machine.request.name = target.domain;
    orders.add(target, {.request = std::move(machine.request), .start = machine.start});
  }
  return orders;
}

}  // namespace

void Orders::add(const VmTarget& target, Order order) {
  selection.targets.push_back(target);
  selection.names.push_back(target.name);
  by_name.emplace(target.name, std::move(order));
}

Orders orders_of(const VerbCommand& command) {
  const Settings& settings = command.program.settings;
  if (settings.given_now("limit")) settings.reject("limit", "there is nothing to choose from: name what is to be made");
  const auto file = settings.text("file");
  Orders orders = file ? orders_of_file(command, *file) : orders_of_options(command);
  const auto expected = settings.integer("expect", 0, 1'000'000'000);
  const auto count = orders.selection.targets.size();
  if (expected && static_cast<std::size_t>(*expected) != count)
    throw Error(Code::refused,
                fmt::format("{} machines are described, not the {} of --expect; nothing was done", count, *expected));
  return orders;
}

}  // namespace muster::cli
