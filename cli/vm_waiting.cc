#include "cli/vm_waiting.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace muster::cli {

std::optional<vm::Milestone> milestone_of(const Settings& settings, std::string_view option) {
  const auto wanted = settings.text(option);
  if (!wanted) return std::nullopt;
  try {
    return vm::parse_milestone(*wanted);
  } catch (const base::Error& e) {
    settings.reject(option, e.what());
  }
}

nlohmann::json milestone_for(const VmTarget& target, vm::Milestone milestone) {
  if (milestone.host.empty()) {
    milestone.host = target.address;
    if (milestone.kind == vm::Milestone::Kind::ssh && target.port != 0) milestone.number = target.port;
  }
  return vm::to_json(milestone);
}

}  // namespace muster::cli
