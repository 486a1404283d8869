// Operations of a worker on what a machine is defined as.
#include <array>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/worker_operations.h"
#include "virt/definition.h"
#include "virt/lifecycle.h"
#include "virt/moments.h"
#include "vm/firmware.h"

namespace muster::cli {
namespace {

using nlohmann::json;

// With its secrets, which are to be there still when it is defined again.
json definition(const WorkerCall& call) { return {{"xml", call.domain().xml(virt::Domain::Xml::portable)}}; }

json redefine(const WorkerCall& call) {
  const auto domain = call.domain();
  virt::redefine(call.connection, domain,
                 {.before = call.arguments.at("before").get<std::string>(),
                  .after = call.arguments.at("after").get<std::string>()});
  return {{"changed", true}, {"state", virt::name_of(domain.state())}};
}

json rename(const WorkerCall& call) {
  const auto domain = call.domain();
  const auto name = call.arguments.at("to").get<std::string>();
  if (domain.name() == name) return {{"changed", false}, {"new_name", name}};
  if (!virt::moments(domain, virt::MomentKind::checkpoint).empty())
    throw base::Error(base::Code::refused, "'" + domain.name() +
                                               "' has checkpoints, which libvirt would lose: the next backup after a "
                                               "rename would be a full one; drop them first");
  vm::rename(call.connection, domain, name);
  return {{"changed", true}, {"new_name", name}};
}

constexpr std::array kDefinitionOperations{WorkerOperation{"definition", definition},
                                           WorkerOperation{"redefine", redefine}, WorkerOperation{"rename", rename}};

}  // namespace

std::span<const WorkerOperation> definition_operations() { return kDefinitionOperations; }

}  // namespace muster::cli
