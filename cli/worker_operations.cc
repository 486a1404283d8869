#include "cli/worker_operations.h"

#include <array>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "vm/tombstone.h"

namespace muster::cli {

virt::Domain WorkerCall::any_domain() const {
  const auto name = arguments.at("domain").get<std::string>();
  if (auto found = connection.find_domain(name)) return *found;
  const bool trashed = !vm::trashed(connection, name).empty();
  throw base::Error(base::Code::not_found,
                    "no domain '" + name + "' on " + connection.uri() +
                        (trashed ? ": it is in the trash, muster vm undelete brings it back" : ""));
}

virt::Domain WorkerCall::domain() const {
  auto found = any_domain();
  if (vm::in_trash(found))
    throw base::Error(base::Code::refused, "'" + found.name() + "' is in the trash: muster vm undelete brings it back");
  return found;
}

vm::TpmDirectories tpm_directories(const nlohmann::json& arguments) {
  return {.session = arguments.value("session_directory", "") + "/qemu/swtpm"};
}

vm::TakeOver take_over(const nlohmann::json& arguments) {
  return arguments.at("take_over").get<bool>() ? vm::TakeOver::when_unknown : vm::TakeOver::from_the_dead;
}

const WorkerOperation* find_operation(std::string_view name) {
  for (const auto& topic :
       {list_operations(), life_operations(), retire_operations(), move_operations(), watch_operations(),
        definition_operations(), create_operations(), resource_operations(), limit_operations(), device_operations(),
        disk_size_operations(), snapshot_operations(), backup_operations(), boot_operations(), served_operations(),
        master_operations(), clone_operations()})
    for (const auto& operation : topic)
      if (operation.name == name) return &operation;
  return nullptr;
}

}  // namespace muster::cli
