// Operations of a worker that watch: what machines and their host use, once or again and again, and what happens to
// them.
#include <array>
#include <condition_variable>
#include <mutex>

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include "cli/worker_operations.h"
#include "virt/events.h"
#include "vm/usage.h"

namespace muster::cli {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

template <typename Number>
void put(json& object, const char* name, const std::optional<Number>& value) {
  if (value) object[name] = *value;
}

void put_seconds(json& object, const char* name, const std::optional<std::uint64_t>& ns) {
  if (ns) object[name] = static_cast<double>(*ns) / 1e9;
}

json to_json(const virt::BlockStatistics& disk, const vm::DiskRates& rates) {
  json object = {{"target", disk.target}, {"source", disk.path}};
  put(object, "read_bytes", disk.read_bytes);
  put(object, "read_requests", disk.read_requests);
  put(object, "written_bytes", disk.written_bytes);
  put(object, "write_requests", disk.write_requests);
  put(object, "capacity_bytes", disk.capacity_bytes);
  put(object, "allocation_bytes", disk.allocation_bytes);
  put(object, "read_bytes_per_second", rates.read_bytes);
  put(object, "read_requests_per_second", rates.read_requests);
  put(object, "written_bytes_per_second", rates.written_bytes);
  put(object, "write_requests_per_second", rates.write_requests);
  return object;
}

json to_json(const virt::NetStatistics& nic, const vm::NetRates& rates) {
  json object = {{"device", nic.device},
                 {"received_bytes", nic.received_bytes},
                 {"received_packets", nic.received_packets},
                 {"received_errors", nic.received_errors},
                 {"received_drops", nic.received_drops},
                 {"sent_bytes", nic.sent_bytes},
                 {"sent_packets", nic.sent_packets},
                 {"sent_errors", nic.sent_errors},
                 {"sent_drops", nic.sent_drops}};
  put(object, "received_bytes_per_second", rates.received_bytes);
  put(object, "received_packets_per_second", rates.received_packets);
  put(object, "sent_bytes_per_second", rates.sent_bytes);
  put(object, "sent_packets_per_second", rates.sent_packets);
  return object;
}

json to_json(const vm::MachineUsage& machine) {
  const auto& now = machine.now;
  json object = {{"name", now.domain.name()}, {"uuid", now.domain.uuid()}, {"state", virt::name_of(now.state)}};
  if (now.stale) object["stale"] = true;
  put(object, "cpus", now.cpus);
  put(object, "max_cpus", now.max_cpus);
  put_seconds(object, "cpu_seconds", now.cpu_ns);
  put_seconds(object, "cpu_user_seconds", now.cpu_user_ns);
  put_seconds(object, "cpu_system_seconds", now.cpu_system_ns);
  put_seconds(object, "steal_seconds", now.steal_ns);
  put(object, "cpu_percent", machine.cpu_percent);
  put(object, "cpu_share_percent", machine.cpu_share_percent);
  put(object, "steal_percent", machine.steal_percent);
  put(object, "memory_bytes", now.memory_bytes);
  put(object, "max_memory_bytes", now.max_memory_bytes);
  put(object, "resident_bytes", now.resident_bytes);
  put(object, "unused_bytes", now.unused_bytes);
  put(object, "available_bytes", now.available_bytes);
  put(object, "usable_bytes", now.usable_bytes);
  object["disks"] = json::array();
  for (std::size_t i = 0; i < now.disks.size(); ++i) object["disks"].push_back(to_json(now.disks[i], machine.disks[i]));
  object["interfaces"] = json::array();
  for (std::size_t i = 0; i < now.interfaces.size(); ++i)
    object["interfaces"].push_back(to_json(now.interfaces[i], machine.interfaces[i]));
  return object;
}

json to_json(const vm::NodeUsage& node) {
  const auto& now = node.now;
  json object = {{"host_name", now.host_name},
                 {"cpus", now.cpus},
                 {"memory_bytes", now.memory_bytes},
                 {"free_memory_bytes", now.free_memory_bytes}};
  put_seconds(object, "user_seconds", now.user_ns);
  put_seconds(object, "system_seconds", now.system_ns);
  put_seconds(object, "idle_seconds", now.idle_ns);
  put_seconds(object, "io_wait_seconds", now.io_wait_ns);
  put(object, "cpu_percent", node.cpu_percent);
  put(object, "io_wait_percent", node.io_wait_percent);
  return object;
}

json to_json(const vm::Usage& usage) {
  json machines = json::array();
  for (const auto& machine : usage.machines) machines.push_back(to_json(machine));
  return {{"machines", std::move(machines)},
          {"node", to_json(usage.node)},
          {"interval", static_cast<double>(usage.interval.count()) / 1000}};
}

void pause_for(const base::Context& ctx, milliseconds interval) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, ctx.stop, interval, [] { return false; });
  ctx.check_stop();
}

milliseconds interval_of(const WorkerCall& call) {
  return milliseconds(call.arguments.value("interval_ms", std::int64_t{0}));
}

// Counters alone without an interval, else also the rates over it.
json statistics(const WorkerCall& call) {
  const auto before = vm::take_sample(call.ctx, call.connection);
  if (interval_of(call) == milliseconds(0)) return to_json(vm::usage(nullptr, before));
  pause_for(call.ctx, interval_of(call));
  return to_json(vm::usage(&before, vm::take_sample(call.ctx, call.connection)));
}

// A progress message each interval, until it is cancelled.
json watch(const WorkerCall& call) {
  auto before = vm::take_sample(call.ctx, call.connection);
  for (;;) {
    pause_for(call.ctx, interval_of(call));
    auto after = vm::take_sample(call.ctx, call.connection);
    call.progress(to_json(vm::usage(&before, after)));
    before = std::move(after);
  }
}

std::string time_text(std::chrono::system_clock::time_point at) {
  const auto ms = std::chrono::duration_cast<milliseconds>(at.time_since_epoch()).count() % 1000;
  return fmt::format("{:%FT%T}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(at)), ms);
}

// A progress message for each event, after one that says that they are watched for, until it is cancelled.
json events(const WorkerCall& call) {
  constexpr std::chrono::seconds kPatience{5};
  virt::EventWatch watch(call.connection);
  call.progress({{"driver", call.connection.driver()}});
  for (;;) {
    if (const auto event = watch.next(call.ctx, kPatience))
      call.progress({{"time", time_text(event->at)},
                     {"name", event->domain},
                     {"uuid", event->uuid},
                     {"event", event->kind},
                     {"what", event->what},
                     {"detail", event->detail}});
    if (const auto lost = watch.dropped()) call.ctx.warn(std::to_string(lost) + " events came too fast and are lost");
  }
}

constexpr std::array kWatchOperations{WorkerOperation{"statistics", statistics}, WorkerOperation{"watch", watch},
                                      WorkerOperation{"events", events}};

}  // namespace

std::span<const WorkerOperation> watch_operations() { return kWatchOperations; }

}  // namespace muster::cli
