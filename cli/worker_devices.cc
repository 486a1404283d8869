// Operations of a worker on disks, interfaces and media of a machine.
#include <array>

#include <nlohmann/json.hpp>

#include "cli/worker_operations.h"
#include "vm/devices.h"

namespace muster::cli {
namespace {

using nlohmann::json;

json to_json(const vm::DeviceChange& change) {
  json fields = {
      {"device", change.device}, {"changed", change.changed}, {"now", change.now}, {"next_start", change.next_start}};
  return fields;
}

std::string word(const WorkerCall& call, const char* name) { return call.arguments.value(name, ""); }

json attach_disk(const WorkerCall& call) {
  return to_json(vm::attach_disk(call.connection, call.domain(),
                                 {.image = word(call, "disk"),
                                  .target = word(call, "target"),
                                  .bus = word(call, "bus"),
                                  .format = word(call, "format"),
                                  .read_only = call.arguments.value("readonly", false)}));
}

json attach_interface(const WorkerCall& call) {
  return to_json(vm::attach_interface(call.domain(), {.kind = word(call, "kind"),
                                                      .source = word(call, "source"),
                                                      .mac = word(call, "mac"),
                                                      .model = word(call, "model")}));
}

json detach(const WorkerCall& call) {
  const auto patience = std::chrono::milliseconds(call.arguments.at("patience_ms").get<std::int64_t>());
  return to_json(vm::detach(call.ctx, call.domain(), word(call, "device"), patience));
}

json insert(const WorkerCall& call) {
  return to_json(vm::insert_medium(call.connection, call.domain(), word(call, "image"), word(call, "target")));
}

json eject(const WorkerCall& call) { return to_json(vm::eject_medium(call.domain(), word(call, "target"))); }

constexpr std::array kDevicesOperations{
    WorkerOperation{"attach_disk", attach_disk}, WorkerOperation{"attach_interface", attach_interface},
    WorkerOperation{"detach", detach}, WorkerOperation{"insert", insert}, WorkerOperation{"eject", eject}};

}  // namespace

std::span<const WorkerOperation> device_operations() { return kDevicesOperations; }

}  // namespace muster::cli
