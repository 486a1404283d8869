#include "cli/worker_operations.h"

#include <array>

#include <nlohmann/json.hpp>

namespace muster::cli {

virt::Domain WorkerCall::domain() const { return connection.domain(arguments.at("domain").get<std::string>()); }

const WorkerOperation* find_operation(std::string_view name) {
  for (const auto& topic :
       {list_operations(), life_operations(), move_operations(), watch_operations(), definition_operations(),
        create_operations(), resource_operations(), limit_operations(), device_operations(), snapshot_operations()})
    for (const auto& operation : topic)
      if (operation.name == name) return &operation;
  return nullptr;
}

}  // namespace muster::cli
