// What the verbs of `muster vm`, `master`, `clone` and `key` are given, and the questions they ask alike.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/hypervisor_workers.h"
#include "cli/program.h"
#include "cli/vm_selection.h"

namespace muster::cli {

struct VerbCommand {
  const Program& program;
  HypervisorWorkers& workers;
  std::string verb;
  std::vector<std::string> words;  // after the verb

  // The one word there must be. Throws base::Error{usage} naming the verb's arguments.
  const std::string& only_word() const;
};

// Runs the verb that is the first word; returns the exit status. Throws base::Error{usage} for none of them.
using VerbRun = int (*)(const VerbCommand&);
int run_verb(Program& program, std::span<const std::pair<std::string_view, VerbRun>> verbs);

// The one machine that `pattern` means. Throws base::Error{usage} for several, and what select_machines() throws.
VmTarget one_machine(const VerbCommand& command, const std::string& pattern, Purpose purpose);

// --yes, or a terminal that says so. Throws base::Error{refused} otherwise.
void confirm(const Program& program, const std::string& question);

}  // namespace muster::cli
