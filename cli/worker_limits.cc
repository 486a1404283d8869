// The operation of a worker on what a machine may take of its host.
#include <array>

#include <nlohmann/json.hpp>

#include "cli/worker_operations.h"
#include "vm/limits.h"

namespace muster::cli {
namespace {

using nlohmann::json;

template <typename Value>
std::optional<Value> optional(const json& arguments, const char* name) {
  return arguments.contains(name) ? std::optional(arguments.at(name).get<Value>()) : std::nullopt;
}

vm::DiskLimitChange disk_change(const json& rates) {
  const auto rate = [&](const char* name) { return optional<std::uint64_t>(rates, name); };
  return {.iops = rate("iops"),
          .read_iops = rate("iops-read"),
          .write_iops = rate("iops-write"),
          .bytes = rate("bps"),
          .read_bytes = rate("bps-read"),
          .write_bytes = rate("bps-write")};
}

vm::LimitChange change_of(const json& arguments) {
  vm::LimitChange change;
  change.cpu_quota_percent = optional<std::uint64_t>(arguments, "cpu_quota_percent");
  change.cpu_shares = optional<std::uint64_t>(arguments, "cpu_shares");
  change.memory_bytes = optional<std::uint64_t>(arguments, "memory_bytes");
  change.cpu_pin = optional<std::string>(arguments, "cpu_pin");
  for (const auto& [target, rates] : arguments.at("disks").items()) change.disks[target] = disk_change(rates);
  for (const auto& [mac, rates] : arguments.at("interfaces").items())
    change.interfaces[mac] = {.in_bytes = optional<std::uint64_t>(rates, "in"),
                              .out_bytes = optional<std::uint64_t>(rates, "out")};
  return change;
}

json value(const std::optional<vm::LimitValue>& limit) {
  if (!limit) return {};
  if (const auto* number = std::get_if<std::uint64_t>(&*limit)) return *number;
  return std::get<std::string>(*limit);
}

json limit(const WorkerCall& call) {
  const auto domain = call.domain();
  vm::set_limits(call.connection, domain, change_of(call.arguments));
  json limits = json::array();
  for (const auto& one : vm::limits(domain)) {
    json fields = {{"limit", one.name}, {"now", value(one.now)}, {"next_start", value(one.next_start)}};
    if (!one.device.empty()) fields["device"] = one.device;
    limits.push_back(std::move(fields));
  }
  return {{"limits", std::move(limits)}};
}

constexpr std::array kLimitsOperations{WorkerOperation{"limit", limit}};

}  // namespace

std::span<const WorkerOperation> limit_operations() { return kLimitsOperations; }

}  // namespace muster::cli
