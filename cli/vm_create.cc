// muster vm create: a machine from options, or machines from a file.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/size_text.h"
#include "cli/vm_orders.h"
#include "cli/vm_run.h"
#include "cli/vm_waiting.h"
#include "vm/endpoint.h"

namespace muster::cli {
namespace {

using nlohmann::json;

// Images are copied and preallocated at the disks' speed.
constexpr std::chrono::hours kCreatePatience{4};
constexpr std::chrono::minutes kWaitPatience{2};

std::optional<vm::Milestone> wanted_milestone(const Settings& settings) {
  auto milestone = milestone_of(settings, "wait");
  if (const auto address = settings.text("wait-address")) {
    const auto endpoint = vm::parse_endpoint(*address);
    milestone->host = endpoint.host;
    milestone->number = endpoint.port;
  }
  return milestone;
}

void check_waiting(const Settings& settings, const Orders& orders) {
  if (settings.given("wait-address") && settings.text("wait") != "ssh")
    settings.reject("wait-address", "it is for --wait ssh");
  if (!settings.given("wait")) return;
  for (const auto& [name, order] : orders.by_name)
    if (!order.start) settings.reject("wait", "'" + name + "' is not to be started: write --start, or start: true");
}

std::string disk_text(const json& volume) {
  const std::string image = volume.contains("from")      ? ", a copy of " + volume["from"].get<std::string>()
                            : volume.contains("backing") ? ", over " + volume["backing"].get<std::string>()
                                                         : "";
  return fmt::format("  volume {} of pool {}: {}, {}{}\n", volume.value("volume", ""), volume.value("pool", ""),
                     volume.value("format", ""), size_text(volume.value("capacity_bytes", std::uint64_t{0})), image);
}

std::string plan_line(const VmTarget& target, const json& result) {
  std::string text = fmt::format("{}: {} on {}\n", target.name, result.value("plan", ""), target.uri);
  if (result.value("plan", "") != "create") return text;
  for (const auto& volume : result.at("volumes")) text += disk_text(volume);
  return text + result.value("xml", "");
}

std::string made_line(const VmTarget& target, const json& result) {
  const std::string what = result.value("made", false)      ? "made"
                           : result.value("changed", false) ? "started"
                                                            : "unchanged";
  const std::string address = result.value("address", "");
  return fmt::format("{}: {}, {}{}\n", target.name, what, result.value("state", ""),
                     address.empty() ? "" : ", " + address);
}

VmOperation operation_of(const Settings& settings, const Orders& orders) {
  const auto patience = settings.duration("timeout").value_or(kWaitPatience);
  const auto milestone = wanted_milestone(settings);
  const json common = {{"apply", orders.apply}, {"patience_ms", patience.count()}, {"take_over", settings.flag("yes")}};
  const bool plan = settings.flag("dry-run");
  return {.name = plan ? "plan-create" : "create",
          .arguments =
              [common, milestone, &orders](const VmTarget& target) {
                json arguments = common;
                const Order& order = orders.by_name.at(target.name);
                arguments["request"] = vm::to_json(order.request);
                arguments["start"] = order.start;
                if (milestone) arguments["milestone"] = milestone_for(target, *milestone);
                return arguments;
              },
          .patience = kCreatePatience + patience,
          .line = plan ? plan_line : made_line};
}

}  // namespace

int vm_create(const VerbCommand& command) {
  const Settings& settings = command.program.settings;
  const Orders orders = orders_of(command);
  check_waiting(settings, orders);
  return run_on_machines(command.program, command.workers, orders.selection, operation_of(settings, orders));
}

}  // namespace muster::cli
