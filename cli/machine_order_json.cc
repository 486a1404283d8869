#include "cli/machine_order_json.h"

#include <nlohmann/json.hpp>

namespace muster::cli {

using nlohmann::json;

json to_json(const RemoteOrder& order) {
  json history = json::array();
  for (const auto& id : order.history) history.push_back(backup::hex(id));
  const auto& machine = order.machine;
  return {{"target", {{"name", machine.target.name}, {"uri", machine.target.uri}, {"domain", machine.target.domain}}},
          {"name", machine.name},
          {"tags", machine.tags},
          {"with_base", machine.with_base},
          {"audit_parts", machine.audit_parts},
          {"workers", machine.options.workers},
          {"readers", machine.options.readers},
          {"compression_level", machine.options.compression_level},
          {"memory_bytes", machine.options.memory_bytes},
          {"bytes_per_second", machine.options.bytes_per_second},
          {"freeze", order.options.freeze},
          {"pause", order.options.pause},
          {"scratch", order.options.scratch},
          {"without", order.options.without},
          {"history", history},
          {"connect_patience_ms", order.connect_patience.count()}};
}

RemoteOrder remote_order(const json& fields) {
  RemoteOrder order;
  auto& machine = order.machine;
  const json& target = fields.at("target");
  machine.target = {.name = target.at("name"), .uri = target.at("uri"), .domain = target.at("domain")};
  machine.name = fields.at("name");
  machine.tags = fields.at("tags").get<std::vector<std::string>>();
  machine.with_base = fields.at("with_base");
  machine.audit_parts = fields.at("audit_parts");
  machine.options = {.workers = fields.at("workers"),
                     .readers = fields.at("readers"),
                     .compression_level = fields.at("compression_level"),
                     .memory_bytes = fields.at("memory_bytes"),
                     .bytes_per_second = fields.at("bytes_per_second")};
  order.options = {.freeze = fields.at("freeze"),
                   .pause = fields.at("pause"),
                   .scratch = fields.at("scratch"),
                   .without = fields.at("without").get<std::vector<std::string>>()};
  for (const auto& id : fields.at("history"))
    order.history.push_back(backup::parse_object_id(id.get<std::string>(), "a restore point"));
  order.connect_patience = std::chrono::milliseconds(fields.at("connect_patience_ms").get<std::int64_t>());
  return order;
}

}  // namespace muster::cli
