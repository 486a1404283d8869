// Operations of a worker that boots restore points for a try.
#include <array>

#include <nlohmann/json.hpp>

#include "cli/worker_operations.h"
#include "virt/emulator.h"
#include "vm/boot_check.h"

namespace muster::cli {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

// Whose QEMU is, and what an earlier try left behind.
json prepare(const WorkerCall& call) {
  json result{{"hypervisor", call.connection.host_name()}, {"ended", vm::end_left_tries(call.connection)}};
  if (const auto user = virt::emulator_user(call.connection))
    result["emulator"] = {{"user", user->user}, {"group", user->group}};
  return result;
}

vm::BootTry try_of(const json& wanted) {
  vm::BootTry request{.domain_xml = wanted.at("domain_xml"),
                      .machine = {.name = wanted.at("name"),
                                  .disks = {},
                                  .most_memory_bytes = wanted.at("memory_bytes"),
                                  .most_cpus = wanted.at("cpus"),
                                  .offer = {},
                                  .loaders = {},
                                  .variables = wanted.at("variables"),
                                  .mark = {}},
                      .goal = vm::parse_boot_goal(wanted.at("goal")),
                      .patience = milliseconds(wanted.at("patience_ms").get<std::int64_t>()),
                      .script = wanted.at("script"),
                      .script_patience = std::chrono::seconds(wanted.at("script_patience_s").get<std::int64_t>())};
  for (const auto& disk : wanted.at("disks")) request.machine.disks.push_back({disk.at("target"), disk.at("socket")});
  return request;
}

json fields_of(const vm::BootStep& step) { return {{"stage", step.stage}, {"after_ms", step.after.count()}}; }

json fields_of(const vm::BootOutcome& outcome) {
  json reached = json::array();
  for (const auto& step : outcome.reached) reached.push_back(fields_of(step));
  json fields{{"booted", outcome.booted},           {"reached", std::move(reached)},
              {"failure", outcome.failure},         {"script_output", outcome.script_output},
              {"console_end", outcome.console_end}, {"duration_ms", outcome.duration.count()}};
  if (outcome.script_status) fields["script_status"] = *outcome.script_status;
  return fields;
}

json boot(const WorkerCall& call) {
  return fields_of(vm::try_boot(call.ctx, call.connection, try_of(call.arguments),
                                [&](const vm::BootStep& step) { call.progress(fields_of(step)); }));
}

constexpr std::array kBootOperations{WorkerOperation{"boot_prepare", prepare}, WorkerOperation{"boot_try", boot}};

}  // namespace

std::span<const WorkerOperation> boot_operations() { return kBootOperations; }

}  // namespace muster::cli
