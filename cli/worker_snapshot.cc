// Operations of a worker on a machine's snapshots.
#include <array>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/guest_watchdog.h"
#include "cli/worker_operations.h"
#include "vm/claims.h"
#include "vm/snapshot.h"

namespace muster::cli {
namespace {

using nlohmann::json;
using std::chrono::seconds;

// Times in seconds since 1970: who shows them writes them out.
json to_json(const vm::SnapshotFacts& facts) {
  const auto& snapshot = facts.snapshot;
  json fields = {{"snapshot", snapshot.name},        {"parent", snapshot.parent},
                 {"state", snapshot.state},          {"created", snapshot.created_s},
                 {"description", facts.description}, {"current", snapshot.current},
                 {"external", snapshot.external},    {"automatic", facts.expires.has_value()},
                 {"quiesced", facts.quiesced}};
  if (facts.expires) fields["expires"] = std::chrono::duration_cast<seconds>(facts.expires->time_since_epoch()).count();
  return fields;
}

// Writing the memory out pauses the guest anyhow.
constexpr std::chrono::minutes kLongestFreeze{10};

std::string snapshot_name(const WorkerCall& call) { return call.arguments.at("snapshot").get<std::string>(); }

// The machine's own state beside that in the snapshot.
json with_state(const virt::Domain& domain, json snapshot) {
  snapshot["snapshot_state"] = snapshot["state"];
  snapshot["state"] = virt::name_of(domain.state());
  return snapshot;
}

json take(const WorkerCall& call) {
  const auto domain = call.domain();
  vm::check_unclaimed(call.ctx, call.connection, domain);
  const json& wanted = call.arguments;
  vm::SnapshotRequest request{.name = snapshot_name(call),
                              .description = wanted.value("description", ""),
                              .expires_after = {},
                              .memory = wanted.value("disk_only", false) ? vm::Memory::left_out : vm::Memory::as_it_is,
                              .freeze_watchdog = {},
                              .freeze_patience = seconds(wanted.value("freeze_s", 10))};
  if (wanted.contains("expire_s")) request.expires_after = seconds(wanted.at("expire_s").get<std::int64_t>());
  if (wanted.value("quiesce", false))
    request.freeze_watchdog = watchdog_command(
        {.uri = call.connection.uri(), .domain = domain.uuid(), .hold = Hold::frozen, .budget = kLongestFreeze});
  return with_state(domain, to_json(vm::create_snapshot(domain, request)));
}

json list(const WorkerCall& call) {
  json all = json::array();
  for (const auto& facts : vm::snapshots_of(call.domain())) all.push_back(to_json(facts));
  return {{"snapshot_list", std::move(all)}};
}

json facts(const WorkerCall& call) {
  const auto domain = call.domain();
  for (const auto& one : vm::snapshots_of(domain))
    if (one.snapshot.name == snapshot_name(call))
      return {{"snapshot_list", json::array({to_json(one)})}, {"state", virt::name_of(domain.state())}};
  throw base::Error(base::Code::not_found, "'" + domain.name() + "' has no snapshot '" + snapshot_name(call) + "'");
}

json revert(const WorkerCall& call) {
  const auto domain = call.domain();
  vm::check_unclaimed(call.ctx, call.connection, domain);
  return with_state(domain, to_json(vm::revert_to_snapshot(call.ctx, domain, snapshot_name(call))));
}

json remove(const WorkerCall& call) {
  virt::delete_snapshot(call.domain(), snapshot_name(call));
  return {{"snapshot", snapshot_name(call)}};
}

json prune(const WorkerCall& call) {
  return {{"deleted", vm::prune_snapshots(call.ctx, call.domain(), vm::WallClock::now())}};
}

constexpr std::array kSnapshotOperations{
    WorkerOperation{"snapshot_create", take},   WorkerOperation{"snapshot_list", list},
    WorkerOperation{"snapshot_facts", facts},   WorkerOperation{"snapshot_revert", revert},
    WorkerOperation{"snapshot_delete", remove}, WorkerOperation{"snapshot_prune", prune}};

}  // namespace

std::span<const WorkerOperation> snapshot_operations() { return kSnapshotOperations; }

}  // namespace muster::cli
