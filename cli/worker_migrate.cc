// Operations of a worker that move a machine to another hypervisor. The worker of the source connects to the target.
#include <array>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/worker_operations.h"
#include "vm/migrate.h"

namespace muster::cli {
namespace {

using nlohmann::json;

vm::MigrateOptions options_of(const json& arguments) {
  vm::MigrateOptions options;
  if (arguments.value("offline", false)) options.manner = vm::Manner::offline;
  if (arguments.value("copy_storage", false)) options.transfer.storage = virt::Storage::copied;
  if (const auto bandwidth = arguments.value("bandwidth", std::uint64_t{0}); bandwidth > 0)
    options.transfer.bandwidth_bytes_per_second = bandwidth;
  options.patience = std::chrono::milliseconds(arguments.value("patience_ms", std::int64_t{0}));
  return options;
}

json migrate(const WorkerCall& call) {
  const auto domain = call.domain();
  const virt::Connection target(call.arguments.at("to").get<std::string>());
  const auto start = base::Clock::now();
  const auto watch = [&](const virt::MigrationProgress& progress) {
    call.progress({{"memory_total_bytes", progress.memory_total_bytes},
                   {"memory_remaining_bytes", progress.memory_remaining_bytes},
                   {"disk_total_bytes", progress.disk_total_bytes},
                   {"disk_remaining_bytes", progress.disk_remaining_bytes}});
  };
  const auto moved = vm::migrate(call.ctx, domain, target, options_of(call.arguments), watch);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(base::Clock::now() - start);
  json fields = {{"state", virt::name_of(moved.domain.state())},
                 {"to", target.uri()},
                 {"duration", static_cast<double>(took.count()) / 1000}};
  if (!moved.left_files.empty()) fields["left_files"] = moved.left_files;
  return fields;
}

json check(const WorkerCall& call) {
  const virt::Connection target(call.arguments.at("to").get<std::string>());
  const auto check = vm::check_move(call.domain(), target, options_of(call.arguments));
  return {{"refusals", check.refusals}, {"warnings", check.warnings}, {"to", target.uri()}};
}

constexpr std::array kMigrateOperations{WorkerOperation{"migrate", migrate}, WorkerOperation{"check-move", check}};

}  // namespace

std::span<const WorkerOperation> move_operations() { return kMigrateOperations; }

}  // namespace muster::cli
