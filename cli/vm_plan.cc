#include "cli/vm_plan.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/exit_status.h"
#include "cli/json_lines.h"

namespace muster::cli {

int show_plan(const VerbCommand& command, const VmSelection& selection, const std::string& what) {
  const Program& program = command.program;
  for (const auto& target : selection.targets) {
    if (program.json())
      program.console.out(json_line("result", {{"name", target.name},
                                               {"uri", target.uri},
                                               {"domain", target.domain},
                                               {"outcome", "plan"},
                                               {"plan", what}}));
    else
      program.console.out(fmt::format("{}: {} {} on {}\n", target.name, what, target.domain, target.uri));
  }
  if (program.json())
    program.console.out(json_line("summary", {{"machines", selection.targets.size()}, {"exit", kAllWorked}}));
  return kAllWorked;
}

}  // namespace muster::cli
