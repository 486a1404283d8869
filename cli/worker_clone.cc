// Operations of a worker on clones: planning them, and making one as it was planned.
#include <array>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/worker_operations.h"
#include "clone/clone_mark.h"
#include "clone/clone_plan.h"
#include "virt/domain_xml.h"
#include "virt/lifecycle.h"
#include "vm/creation.h"

namespace muster::cli {
namespace {

using base::Error;
using nlohmann::json;

json clone_fields(const clone::PlannedClone& planned) {
  json fields = {{"name", planned.name},
                 {"plan", clone::name_of(planned.state)},
                 {"kind", clone::name_of(planned.kind)},
                 {"macs", planned.macs},
                 {"left_out", planned.left_out}};
  if (planned.state != clone::PlannedClone::State::there) fields["making"] = vm::to_json(planned.making);
  return fields;
}

vm::TakeOver take_over(const json& arguments) {
  return arguments.at("take_over").get<bool>() ? vm::TakeOver::when_unknown : vm::TakeOver::from_the_dead;
}

// Each as progress, before the result.
json plan(const WorkerCall& call) {
  const auto generation =
      clone::plan_clones(call.ctx, call.connection, clone::clone_request_from(call.arguments.at("request")),
                         take_over(call.arguments) == vm::TakeOver::when_unknown,
                         [&](const auto& planned) { call.progress(clone_fields(planned)); });
  return {{"master", generation.master},
          {"generation", generation.number},
          {"guest", clone::name_of(generation.guest)}};
}

json make(const WorkerCall& call) {
  const auto making = vm::making_from_json(call.arguments.at("making"));
  const auto domain = vm::make(call.ctx, call.connection, making, {.start = false, .take_over = take_over(call.arguments)});
  return {{"uuid", domain.uuid()}, {"state", virt::name_of(domain.state())}, {"made", true}};
}

constexpr std::array kOperations{WorkerOperation{"clone_plan", plan}, WorkerOperation{"clone_make", make}};

}  // namespace

std::span<const WorkerOperation> clone_operations() { return kOperations; }

}  // namespace muster::cli
