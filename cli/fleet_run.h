// What `run` and `ping` share: the engines a run needs, put together from the settings, and the way a run ends.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/fleet_selection.h"
#include "cli/program.h"
#include "cli/run_output.h"
#include "cli/unit_run.h"
#include "parallel-ssh/host_runner.h"

namespace muster::cli {

class FleetRun {
 public:
  FleetRun(const Program& program, const FleetSelection& selection);

  using Task = std::function<ssh::HostReport(const ssh::HostRunner& runner, const ssh::Target& target, std::size_t host,
                                             ssh::OutputSink& sink)>;
  // As UnitRun's.
  int execute(const Task& task, ssh::RunObserver* output, const std::function<void()>& before_closing = {});

 private:
  const Program& program_;
  const FleetSelection& selection_;
  UnitRun run_;
  ssh::CancelSignal abort_;
  ssh::KeyStore keys_;
  ssh::HostKeyCheck host_keys_;
  ssh::Connector connector_;
  ssh::HostRunner runner_;
};

}  // namespace muster::cli
