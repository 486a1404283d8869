// muster capabilities: what the drivers behind hypervisors can do.
#include <mutex>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/hypervisor_workers.h"
#include "cli/json_lines.h"
#include "cli/machine_source.h"
#include "cli/text_table.h"
#include "cli/unit_run.h"
#include "cli/vm_run.h"
#include "cli/vm_selection.h"

namespace muster::cli {
namespace {

using base::Error;
using nlohmann::json;

void print(const Program& program, const std::string& uri, const json& answer) {
  const std::string driver = answer.value("driver", "");
  if (program.json()) {
    for (json capability : answer.at("capabilities")) {
      capability["uri"] = uri;
      capability["driver"] = driver;
      program.console.out(json_line("result", std::move(capability)));
    }
    return;
  }
  TextTable table({"CAPABILITY", "", ""});
  for (const auto& capability : answer.at("capabilities"))
    table.add_row({capability.value("capability", ""), capability.value("answer", ""), capability.value("detail", "")});
  program.console.out(fmt::format("{} ({})\n{}", uri, driver, table.text()));
}

int run_capabilities(Program& program) {
  HypervisorWorkers workers(program.ctx, connect_patience(program.settings));
  const HostNames uris = program.arguments.words.empty() ? all_hypervisors(program) : program.arguments.words;
  const auto task = [&](std::size_t number, ssh::OutputSink&) {
    return report_of([&] {
      print(program, uris[number], workers.call(uris[number], "capabilities", json::object(), kUsualPatience));
    });
  };
  return UnitRun(program, uris, kHypervisors).execute(task, nullptr);
}

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) {
  return muster::cli::run_program("capabilities", argc, argv, muster::cli::run_capabilities);
}
