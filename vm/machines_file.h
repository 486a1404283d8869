// A file that describes machines (muster-machines(5)), for those that are to be there. Reading it asks no hypervisor.
#pragma once

#include <string>
#include <vector>

#include "vm/machine_spec.h"

namespace muster::vm {

struct DescribedMachine {
  MachineRequest request;
  std::string connection;  // empty: the file says none
  bool start = false;
};

// In the file's order. Files that it names are read, relative to its own directory. Throws base::Error{usage} as
// `file:line:column: what is wrong; what to write`; the first mistake only.
std::vector<DescribedMachine> read_machines(const std::string& path);

}  // namespace muster::vm
