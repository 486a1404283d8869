// The operation of a worker that makes a machine, or says what it would do.
#include <array>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/worker_operations.h"
#include "virt/domain_xml.h"
#include "virt/lifecycle.h"
#include "virt/storage.h"
#include "vm/compare_machine.h"
#include "vm/creation.h"
#include "vm/creation_plan.h"
#include "vm/wait_for.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;
using std::chrono::milliseconds;

struct Wanted {
  vm::MachineRequest request;
  bool start = false;
  bool apply = false;                      // one that is there is held against the request instead of being an error
  std::optional<vm::Milestone> milestone;  // nullopt: nothing is waited for
  milliseconds patience{0};
  vm::TakeOver take_over = vm::TakeOver::from_the_dead;
};

Wanted wanted(const json& arguments) {
  Wanted wanted{.request = vm::request_from_json(arguments.at("request")),
                .start = arguments.at("start"),
                .apply = arguments.at("apply"),
                .milestone = {},
                .patience = milliseconds(arguments.at("patience_ms").get<std::int64_t>()),
                .take_over = take_over(arguments)};
  if (arguments.contains("milestone")) wanted.milestone = vm::milestone_from_json(arguments["milestone"]);
  return wanted;
}

// One that is there whole, and not half made.
std::optional<virt::Domain> existing(const WorkerCall& call, const Wanted& wanted) {
  if (!wanted.apply) return std::nullopt;
  auto domain = call.connection.find_domain(wanted.request.name);
  return domain && !virt::creation_mark(*domain) ? domain : std::nullopt;
}

void check_same(const WorkerCall& call, const virt::Domain& domain, const vm::MachineRequest& request) {
  std::string all;
  for (const auto& difference : vm::differences(call.connection, domain, request))
    all += (all.empty() ? "" : "; ") + difference;
  if (!all.empty()) throw Error(Code::refused, "it is not as described, and was not changed: " + all);
}

void start_and_wait(const WorkerCall& call, const virt::Domain& domain, const Wanted& wanted, json& fields) {
  if (wanted.start && !domain.active()) {
    virt::start(domain);
    fields["changed"] = true;
  }
  if (!wanted.milestone) return;
  try {
    const std::string address = vm::wait_for(call.ctx, domain, *wanted.milestone, wanted.patience);
    if (!address.empty()) fields["address"] = address;
  } catch (const Error& e) {
    throw Error(e.code(), std::string(fields["made"].get<bool>() ? "made and started, but " : "") + e.what());
  }
}

json disks_of(const virt::Domain& domain) {
  json list = json::array();
  for (const auto& disk : virt::DomainXml(domain.xml(virt::Domain::Xml::definition)).disks())
    list.push_back(
        {{"target", disk.target}, {"device", disk.device}, {"format", disk.format}, {"source", disk.source}});
  return list;
}

json create(const WorkerCall& call) {
  const Wanted what = wanted(call.arguments);
  json fields = {{"name", what.request.name}, {"changed", false}, {"made", false}};
  auto domain = existing(call, what);
  if (domain) {
    check_same(call, *domain, what.request);
  } else {
    domain = vm::create(call.ctx, call.connection, what.request, {.start = what.start, .take_over = what.take_over});
    fields["changed"] = true;
    fields["made"] = true;
  }
  start_and_wait(call, *domain, what, fields);
  fields["uuid"] = domain->uuid();
  fields["state"] = virt::name_of(domain->state());
  fields["disks"] = disks_of(*domain);
  return fields;
}

json volumes_of(const vm::CreationPlan& plan) {
  json list = json::array();
  for (const auto& volume : plan.volumes) {
    json fields = {{"pool", volume.pool},
                   {"volume", volume.spec.name},
                   {"format", virt::name_of(volume.spec.format)},
                   {"capacity_bytes", volume.spec.capacity_bytes},
                   {"target", volume.target}};
    if (!volume.copy_of.name.empty()) fields["from"] = volume.copy_of.pool + "/" + volume.copy_of.name;
    if (volume.spec.backing) fields["backing"] = volume.spec.backing->path;
    list.push_back(std::move(fields));
  }
  return list;
}

json plan(const WorkerCall& call) {
  const Wanted what = wanted(call.arguments);
  if (const auto domain = existing(call, what)) {
    check_same(call, *domain, what.request);
    return {{"name", what.request.name}, {"plan", "unchanged"}};
  }
  const auto leftover = vm::find_leftover(call.connection, what.request.name);
  if (leftover) vm::check_abandoned(*leftover, what.take_over);
  if (leftover) call.ctx.note("'" + what.request.name + "' was left half made, and will be removed first");
  const auto plan = vm::plan_creation(call.ctx, call.connection, what.request,
                                      leftover ? leftover->mark.volumes : std::vector<virt::VolumeName>{});
  for (const auto& note : plan.notes) call.ctx.note(note);
  return {{"name", what.request.name}, {"plan", "create"}, {"volumes", volumes_of(plan)}, {"xml", plan.xml()}};
}

constexpr std::array kCreateOperations{WorkerOperation{"create", create}, WorkerOperation{"plan-create", plan}};

}  // namespace

std::span<const WorkerOperation> create_operations() { return kCreateOperations; }

}  // namespace muster::cli
