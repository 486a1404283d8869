// What `muster vm create` is to make, and where: from its options, or from a file.
#pragma once

#include <map>
#include <string>

#include "cli/vm_commands.h"
#include "cli/vm_selection.h"
#include "vm/machine_spec.h"

namespace muster::cli {

struct Order {
  vm::MachineRequest request;
  bool start = false;
};

struct Orders {
  VmSelection selection;
  std::map<std::string, Order> by_name;  // of the selection's targets
  bool apply = false;                    // what is there already is held against its order

  void add(const VmTarget& target, Order order);
};

// Reads the files that are named. Throws base::Error{usage}, and {refused} for --expect.
Orders orders_of(const VerbCommand& command);

}  // namespace muster::cli
