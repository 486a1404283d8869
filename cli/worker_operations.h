// What a hypervisor's worker can be asked to do: one table of operations by name. Each runs in a thread of its own in
// the worker, on the worker's one connection, and returns the fields of a result. Files worker_*.cc have them by topic.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/context.h"
#include "virt/connection.h"
#include "vm/maker.h"
#include "vm/tpm_state.h"

namespace muster::cli {

struct WorkerCall {
  const base::Context& ctx;  // its stop: the call was cancelled
  const virt::Connection& connection;
  const nlohmann::json& arguments;
  std::function<void(const nlohmann::json&)> progress;

  // The domain that the argument `domain` names. Throws base::Error{refused} for one in the trash.
  virt::Domain domain() const;
  // The same, for those who only look: also one in the trash.
  virt::Domain any_domain() const;
};

// What the argument `take_over`, a boolean, says.
vm::TakeOver take_over(const nlohmann::json& arguments);

// By the argument `session_directory`, libvirt's of a user's own.
vm::TpmDirectories tpm_directories(const nlohmann::json& arguments);

struct WorkerOperation {
  std::string_view name;
  nlohmann::json (*run)(const WorkerCall& call);
};

// By topic; worker_operations.cc puts them together.
std::span<const WorkerOperation> list_operations();
std::span<const WorkerOperation> life_operations();
std::span<const WorkerOperation> retire_operations();
std::span<const WorkerOperation> move_operations();
std::span<const WorkerOperation> watch_operations();
std::span<const WorkerOperation> definition_operations();
std::span<const WorkerOperation> create_operations();
std::span<const WorkerOperation> resource_operations();
std::span<const WorkerOperation> limit_operations();
std::span<const WorkerOperation> device_operations();
std::span<const WorkerOperation> disk_size_operations();
std::span<const WorkerOperation> snapshot_operations();
std::span<const WorkerOperation> backup_operations();
std::span<const WorkerOperation> boot_operations();
std::span<const WorkerOperation> served_operations();
std::span<const WorkerOperation> master_operations();
std::span<const WorkerOperation> clone_operations();

// Backups that were begun, and whose asker is gone. Before the worker ends; takes a while at most.
void end_open_backups();

// nullptr: there is none of that name.
const WorkerOperation* find_operation(std::string_view name);

}  // namespace muster::cli
