#include "cli/fleet_run.h"

#include "cli/connect_options.h"

namespace muster::cli {

FleetRun::FleetRun(const Program& program, const FleetSelection& selection)
    : program_(program),
      selection_(selection),
      run_(program, selection.names(), kHosts),
      abort_(program.interrupts.abort()),
      keys_(passphrase_on_terminal(program)),
      connector_(abort_, host_keys_, keys_),
      runner_(program.ctx, connector_, host_keys_, abort_,
              static_cast<int>(program.settings.integer("retries", 0, 100).value_or(0))) {}

int FleetRun::execute(const Task& task, ssh::RunObserver* output, const std::function<void()>& before_closing) {
  return run_.execute(
      [&](std::size_t host, ssh::OutputSink& sink) { return task(runner_, selection_.target(host), host, sink); },
      output, before_closing);
}

}  // namespace muster::cli
