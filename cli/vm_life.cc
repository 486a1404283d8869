// muster vm start, stop, reboot, reset, pause, resume, save, wait, autostart.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/vm_commands.h"
#include "cli/vm_plan.h"
#include "cli/vm_run.h"
#include "cli/vm_waiting.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::chrono::minutes kShutdownPatience{2};
// Memory goes to disk at the disk's speed.
constexpr std::chrono::hours kSavePatience{2};
// A call may take a little longer than what it was told to wait for.
constexpr std::chrono::seconds kGrace{30};

// `web01: running`, or `web01: was running already`.
std::string state_line(const VmTarget& target, const json& result) {
  const std::string state = result.value("state", "");
  const std::string forced = result.value("forced", false) ? " (forced: it did not shut down in time)" : "";
  return fmt::format("{}: {}{}{}\n", target.name, result.value("changed", true) ? "" : "already ", state, forced);
}

VmOperation quick(const VerbCommand& command) {
  return {.name = command.verb, .arguments = {}, .patience = kUsualPatience, .line = state_line};
}

milliseconds patience_of(const VerbCommand& command) {
  return command.program.settings.duration("timeout").value_or(kShutdownPatience);
}

VmOperation stop_operation(const VerbCommand& command) {
  const auto grace = patience_of(command);
  const bool may_force = !command.program.settings.flag("no-force");
  return {.name = "stop",
          .arguments =
              [grace, may_force](const VmTarget&) {
                return json{{"grace_ms", grace.count()}, {"may_force", may_force}};
              },
          .patience = grace + kUsualPatience,
          .line = state_line};
}

VmOperation wait_operation(const VerbCommand& command) {
  const auto patience = patience_of(command);
  const auto milestone = milestone_of(command.program.settings, "for").value_or(vm::Milestone{});
  return {.name = "wait",
          .arguments =
              [patience, milestone](const VmTarget& target) {
                return json{{"milestone", milestone_for(target, milestone)}, {"patience_ms", patience.count()}};
              },
          .patience = patience + kGrace,
          .line =
              [](const VmTarget& target, const json& result) {
                const std::string address = result.value("address", "");
                return fmt::format("{}: {}\n", target.name, address.empty() ? result.value("state", "") : address);
              }};
}

VmOperation autostart_operation(const VerbCommand& command) {
  if (command.words.size() != 2 || (command.words[1] != "on" && command.words[1] != "off"))
    throw Error(Code::usage, "write muster vm autostart PATTERN on|off");
  const bool on = command.words[1] == "on";
  return {.name = "autostart",
          .arguments =
              [on](const VmTarget&) {
                return json{{"on", on}};
              },
          .patience = kUsualPatience,
          .line =
              [](const VmTarget& target, const json& result) {
                return fmt::format("{}: autostart {}\n", target.name, result.value("autostart", false) ? "on" : "off");
              }};
}

VmOperation operation_of(const VerbCommand& command) {
  if (command.verb == "stop") return stop_operation(command);
  if (command.verb == "wait") return wait_operation(command);
  if (command.verb == "autostart") return autostart_operation(command);
  VmOperation operation = quick(command);
  if (command.verb == "save") operation.patience = kSavePatience;
  if (command.verb == "start")
    operation.arguments = [paused = command.program.settings.flag("paused")](const VmTarget&) {
      return json{{"paused", paused}};
    };
  return operation;
}

}  // namespace

int vm_life(const VerbCommand& command) {
  const VmOperation operation = operation_of(command);
  const std::string& pattern = command.verb == "autostart" ? command.words.front() : command.only_word();
  const Purpose purpose = command.verb == "wait" ? Purpose::look : Purpose::change;
  const auto selection = select_machines(command.program, command.workers, pattern, purpose);
  if (command.program.settings.flag("dry-run")) return show_plan(command, selection, command.verb);
  if (command.verb == "reset") confirm(command.program, fmt::format("reset {} machines", selection.targets.size()));
  return run_on_machines(command.program, command.workers, selection, operation);
}

}  // namespace muster::cli
