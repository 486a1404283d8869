// Operations of a worker on the life of a machine. Each is done when the machine is in the wanted state already.
#include <array>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/worker_operations.h"
#include "virt/lifecycle.h"
#include "vm/claims.h"
#include "vm/stop.h"
#include "vm/tombstone.h"
#include "vm/wait_for.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;
using std::chrono::milliseconds;
using virt::State;

// `changed`: false where there was nothing to do.
enum class Change { made, none };
json result(const virt::Domain& domain, Change change) {
  return {{"state", virt::name_of(domain.state())}, {"changed", change == Change::made}};
}

// A transient one is nowhere once it is off.
json result_of_end(const virt::Domain& domain, Change change) {
  if (domain.exists()) return result(domain, change);
  return {{"state", "gone"}, {"changed", change == Change::made}};
}

json start(const WorkerCall& call) {
  const auto domain = call.domain();
  if (domain.active()) return result(domain, Change::none);
  if (const auto retirement = vm::retirement_of(domain); retirement && retirement->aim != vm::Aim::undelete)
    throw Error(Code::refused, "the retirement of '" + domain.name() +
                                   "' was begun: muster vm undelete makes it what it was, vm delete ends it");
  vm::check_unclaimed(call.ctx, call.connection, domain);
  const bool paused = call.arguments.value("paused", false);
  virt::start(domain, paused ? virt::StartAs::paused : virt::StartAs::running);
  return result(domain, Change::made);
}

json stop(const WorkerCall& call) {
  const auto domain = call.domain();
  const vm::StopOptions options{.grace = milliseconds(call.arguments.at("grace_ms").get<std::int64_t>()),
                                .may_force = call.arguments.value("may_force", true)};
  const auto outcome = vm::stop(call.ctx, domain, options);
  json fields = result_of_end(domain, outcome == vm::StopOutcome::was_off ? Change::none : Change::made);
  fields["forced"] = outcome == vm::StopOutcome::forced;
  return fields;
}

json reboot(const WorkerCall& call) {
  const auto domain = call.domain();
  virt::ask_to_reboot(domain);
  return result(domain, Change::made);
}

json reset(const WorkerCall& call) {
  const auto domain = call.domain();
  virt::reset(domain);
  return result(domain, Change::made);
}

json pause(const WorkerCall& call) {
  const auto domain = call.domain();
  if (domain.state() == State::paused) return result(domain, Change::none);
  virt::pause(domain);
  return result(domain, Change::made);
}

json resume(const WorkerCall& call) {
  const auto domain = call.domain();
  if (domain.state() == State::running) return result(domain, Change::none);
  virt::resume(domain);
  return result(domain, Change::made);
}

json save(const WorkerCall& call) {
  const auto domain = call.domain();
  if (domain.state() == State::saved) return result(domain, Change::none);
  virt::save(domain);
  return result(domain, Change::made);
}

json autostart(const WorkerCall& call) {
  const auto domain = call.domain();
  const bool on = call.arguments.at("on").get<bool>();
  const bool was = domain.autostart();
  if (was != on) domain.set_autostart(on);
  json fields = result(domain, was == on ? Change::none : Change::made);
  fields["autostart"] = on;
  return fields;
}

json wait(const WorkerCall& call) {
  const auto domain = call.domain();
  const auto patience = milliseconds(call.arguments.at("patience_ms").get<std::int64_t>());
  const auto milestone = vm::milestone_from_json(call.arguments.at("milestone"));
  const std::string address = vm::wait_for(call.ctx, domain, milestone, patience);
  json fields = result_of_end(domain, Change::none);
  if (!address.empty()) fields["address"] = address;
  return fields;
}

constexpr std::array kLifeOperations{
    WorkerOperation{"start", start}, WorkerOperation{"stop", stop},   WorkerOperation{"reboot", reboot},
    WorkerOperation{"reset", reset}, WorkerOperation{"pause", pause}, WorkerOperation{"resume", resume},
    WorkerOperation{"save", save},   WorkerOperation{"wait", wait},   WorkerOperation{"autostart", autostart},
};

}  // namespace

std::span<const WorkerOperation> life_operations() { return kLifeOperations; }

}  // namespace muster::cli
