// Operations of a worker on the sizes of machines' disks.
#include <array>

#include <nlohmann/json.hpp>

#include "cli/worker_operations.h"
#include "vm/disk_size.h"

namespace muster::cli {
namespace {

using nlohmann::json;

json resize(const WorkerCall& call) {
  const auto change = vm::resize_disk(call.ctx, call.connection, call.domain(),
                                      {.target = call.arguments.at("target").get<std::string>(),
                                       .wish = disk::parse_size_wish(call.arguments.at("size").get<std::string>()),
                                       .may_shrink = call.arguments.at("may_shrink").get<bool>(),
                                       .only_plan = call.arguments.at("only_plan").get<bool>()});
  return {{"image", change.image},
          {"bus", change.bus},
          {"from_bytes", change.size.from_bytes},
          {"to_bytes", change.size.to_bytes},
          {"running", change.running}};
}

constexpr std::array kDiskSizeOperations{WorkerOperation{"resize_disk", resize}};

}  // namespace

std::span<const WorkerOperation> disk_size_operations() { return kDiskSizeOperations; }

}  // namespace muster::cli
