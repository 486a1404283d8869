// Operations of a worker on what a machine has of its host: CPUs and memory.
#include <array>

#include <nlohmann/json.hpp>

#include "cli/worker_operations.h"
#include "vm/set_resources.h"

namespace muster::cli {
namespace {

using nlohmann::json;

template <typename Number>
std::optional<Number> number(const json& arguments, const char* name) {
  return arguments.contains(name) ? std::optional(arguments.at(name).get<Number>()) : std::nullopt;
}

json to_json(const vm::Applied& change) {
  json fields = {{"setting", vm::name_of(change.setting)},
                 {"wanted", change.wanted},
                 {"now", change.now},
                 {"next_start", change.next_start}};
  if (change.running) fields["running"] = *change.running;
  if (!change.reason.empty()) fields["reason"] = change.reason;
  return fields;
}

json set(const WorkerCall& call) {
  const vm::ResourceChange change{.cpus = number<unsigned>(call.arguments, "cpus"),
                                  .max_cpus = number<unsigned>(call.arguments, "max_cpus"),
                                  .memory_bytes = number<std::uint64_t>(call.arguments, "memory_bytes"),
                                  .max_memory_bytes = number<std::uint64_t>(call.arguments, "max_memory_bytes")};
  json changes = json::array();
  const auto patience = std::chrono::milliseconds(call.arguments.at("guest_patience_ms").get<std::int64_t>());
  for (const auto& applied : vm::set_resources(call.ctx, call.domain(), change, patience))
    changes.push_back(to_json(applied));
  return {{"changes", std::move(changes)}};
}

constexpr std::array kResourcesOperations{WorkerOperation{"set", set}};

}  // namespace

std::span<const WorkerOperation> resource_operations() { return kResourcesOperations; }

}  // namespace muster::cli
